//! The two forms of an exported resource: as the service wrote it, and as `az` printed the SDK's model of it.

use serde_json::{Map, Value};

/// Members of a resource beside its properties; `az` adds `resourceGroup`.
const OUTER: [&str; 6] = ["id", "name", "type", "location", "tags", "resourceGroup"];

/// The properties of a resource as the service writes them: nothing that says nothing, and the spelling, times and
/// durations of the wire.
pub fn properties(resource: &Map<String, Value>) -> Map<String, Value> {
    let plain = match resource.get("properties") {
        Some(Value::Object(properties)) => without_nothing(properties, false),
        // A REST resource without properties has none; a flat one may have any.
        _ => without_nothing(resource, true),
    };
    plain
        .into_iter()
        .filter(|(name, _)| resource.contains_key("properties") || !OUTER.contains(&name.as_str()))
        .collect()
}

/// Without members that are null, and in an SDK's form without what it adds.
fn without_nothing(object: &Map<String, Value>, of_sdk: bool) -> Map<String, Value> {
    object
        .iter()
        .filter(|(_, value)| !value.is_null())
        .filter(|(name, _)| !of_sdk || *name != "additionalProperties")
        .map(|(name, value)| {
            let name = if of_sdk { wire_name(name) } else { name };
            (name.to_owned(), clean(name, value, of_sdk))
        })
        .collect()
}

fn clean(name: &str, value: &Value, of_sdk: bool) -> Value {
    match value {
        Value::Object(object) => Value::Object(without_nothing(object, of_sdk)),
        Value::Array(list) => list
            .iter()
            .filter(|entry| !entry.is_null())
            .map(|entry| clean(name, entry, of_sdk))
            .collect(),
        Value::String(text) if of_sdk && name == "maxWallClockTime" => {
            python_duration(text).map_or_else(|| value.clone(), Value::String)
        }
        Value::String(text) if of_sdk && name.ends_with("Time") => {
            let time = text.parse().ok().map(trainyard_wire::time::timestamp);
            time.map_or_else(|| value.clone(), Value::String)
        }
        other => other.clone(),
    }
}

/// The SDKs' names, in camel case, are those of the wire but for these.
fn wire_name(name: &str) -> &str {
    match name {
        "diskSizeInGb" => "diskSizeInGB",
        "publicIpsToAllow" => "publicIPsToAllow",
        "fileServerPublicIp" => "fileServerPublicIP",
        "fileServerInternalIp" => "fileServerInternalIP",
        other => other,
    }
}

/// Python's text of a duration, such as `7 days, 0:00:00`, as ISO 8601; `None` for anything else.
fn python_duration(text: &str) -> Option<String> {
    let (days, clock) = match text.split_once(", ") {
        Some((days, clock)) => {
            let number = days.strip_suffix(" days").or_else(|| days.strip_suffix(" day"))?;
            (number.parse::<u32>().ok()?, clock)
        }
        None => (0, text),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let [hours, minutes, seconds] = parts[..] else {
        return None;
    };
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    // A part of a second is more than none.
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let part = part.bytes().any(|digit| digit != b'0');
    let seconds = i64::from(whole.parse::<u32>().ok()?) + i64::from(part);
    let hours = i64::from(days) * 24 + i64::from(hours);
    Some(trainyard_wire::time::duration(
        (hours * 60 + i64::from(minutes)) * 60 + seconds,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: &Value) -> Value {
        Value::Object(properties(value.as_object().unwrap()))
    }

    #[test]
    fn both_forms_of_a_resource_give_the_same() {
        let rest = json!({"id": "i", "name": "n", "location": "eastus", "properties": {
            "vmSize": "S", "dataDisks": {"diskSizeInGB": 10}, "tags": {"a": "b"},
            "sshConfiguration": {"publicIPsToAllow": ["1.2.3.4"]}, "constraints": {"maxWallClockTime": "P7D"},
            "creationTime": "2018-06-06T20:44:38.85Z"
        }});
        let az = json!({"id": "i", "name": "n", "location": "eastus", "resourceGroup": "g", "tags": null,
            "additionalProperties": {}, "vmSize": "S", "subnet": null,
            "dataDisks": {"additionalProperties": {}, "diskSizeInGb": 10, "cachingType": null},
            "sshConfiguration": {"publicIpsToAllow": ["1.2.3.4"], "userAccountSettings": null},
            "constraints": {"maxWallClockTime": "7 days, 0:00:00"},
            "creationTime": "2018-06-06T20:44:38.850000+00:00"
        });
        let mut expected = of(&rest);
        expected.as_object_mut().unwrap().remove("tags");
        assert_eq!(of(&az), expected);
    }

    #[test]
    fn durations_of_python_are_read() {
        for (text, iso) in [
            ("7 days, 0:00:00", Some("P7D")),
            ("1 day, 1:02:03", Some("P1DT1H2M3S")),
            ("0:00:00.500000", Some("PT1S")),
            ("P7D", None),
            ("soon, 1:2:3", None),
            ("1:2", None),
        ] {
            assert_eq!(python_duration(text).as_deref(), iso, "{text}");
        }
    }
}
