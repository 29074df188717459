//! Whether two forms of a call did the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Replay;

/// What a server answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its body, `null` where it has none.
    pub body: Value,
}

impl Answer {
    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The service's code, where it refused.
    pub fn code(&self) -> &str {
        let code = || self.body.get("error")?.get("code")?.as_str();
        code().unwrap_or("no code")
    }

    /// The service's message, where it refused.
    pub fn message(&self) -> &str {
        let message = || self.body.get("error")?.get("message")?.as_str();
        message().unwrap_or("no message")
    }
}

/// What one form did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The answers to its requests.
    pub answers: Vec<Answer>,
    /// Every resource that is there afterwards, as the current version shows it.
    pub state: Vec<Value>,
}

/// The first thing in which two forms differ, in a line for a person.
pub fn difference(old: (&Replay, &Seen), new: (&Replay, &Seen)) -> Option<String> {
    let ((old, was), (new, is)) = (old, new);
    match (&old.refused, &new.refused) {
        (Some(_), Some(_)) => return None,
        (Some(why), None) => {
            return Some(format!(
                "the old form was refused by az itself ({why}), the new one is not"
            ));
        }
        (None, Some(why)) => return Some(format!("the new form is refused by az itself: {why}")),
        (None, None) => {}
    }
    client(&old.client, &new.client)
        .or_else(|| answers(&was.answers, &is.answers))
        .or_else(|| state(&was.state, &is.state))
}

fn client(old: &BTreeMap<&str, String>, new: &BTreeMap<&str, String>) -> Option<String> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    names.into_iter().find_map(|name| {
        let (was, is) = (old.get(name), new.get(name));
        let word = |text: Option<&String>| text.map_or("nothing", |text| text).to_owned();
        (was != is).then(|| {
            format!(
                "{name}: {} in the old form, {} in the new one",
                word(was),
                word(is)
            )
        })
    })
}

fn answers(old: &[Answer], new: &[Answer]) -> Option<String> {
    if old.len() != new.len() {
        return Some(format!(
            "{} requests in the old form, {} in the new one",
            old.len(),
            new.len()
        ));
    }
    old.iter().zip(new).find_map(|(was, is)| {
        let word = |answer: &Answer| match answer.is_done() {
            true => "done".to_owned(),
            false => format!(
                "refused ({} {}: {})",
                answer.status,
                answer.code(),
                answer.message()
            ),
        };
        let same = (was.is_done() && is.is_done()) || was.status == is.status;
        if !same {
            return Some(format!("the old form is {}, the new one {}", word(was), word(is)));
        }
        if !was.is_done() {
            return None;
        }
        first("answer", &subject(&was.body), &subject(&is.body))
    })
}

/// Of what an answer speaks: names of resources, whatever their version shows of them; what they are made of is
/// seen in the state.
fn subject(body: &Value) -> Value {
    if let Some(Value::Array(entries)) = body.get("value") {
        // Each version has its own families of VM sizes in the list of usages.
        if entries.iter().any(|entry| entry.get("unit").is_some()) {
            return "usages".into();
        }
        let mut all: Vec<Value> = entries.iter().map(subject).collect();
        all.sort_by_key(Value::to_string);
        return all.into();
    }
    if let Some(id) = body.get("id").and_then(Value::as_str) {
        let mut segments = id.rsplit('/');
        let (name, kind) = (
            segments.next().unwrap_or_default(),
            segments.next().unwrap_or_default(),
        );
        return format!("{}/{}", kind.to_lowercase(), name.to_lowercase()).into();
    }
    plain(body)
}

fn state(old: &[Value], new: &[Value]) -> Option<String> {
    let by_id = |all: &[Value]| -> BTreeMap<String, Value> {
        let id = |one: &Value| {
            one.get("id")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_lowercase()
        };
        all.iter().map(|one| (id(one), plain(one))).collect()
    };
    let (old, new) = (by_id(old), by_id(new));
    let ids: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    ids.into_iter().find_map(|id| {
        let short = id.rsplit("microsoft.batchai/").next().unwrap_or(id);
        match (old.get(id), new.get(id)) {
            (Some(was), Some(is)) => first(short, was, is),
            (Some(_), None) => Some(format!(
                "{short} is there after the old form and not after the new one"
            )),
            (None, _) => Some(format!(
                "{short} is there after the new form and not after the old one"
            )),
        }
    })
}

/// Without what two runs of the same requests differ in: times, and folders with ids of their own.
fn plain(value: &Value) -> Value {
    const OWN: [&str; 5] = [
        "jobOutputDirectoryPathSegment",
        "stdOutErrPathSuffix",
        "mountSettings",
        "etag",
        // That there are no nodes.
        "errors",
    ];
    match value {
        Value::Object(members) => {
            let kept = members
                .iter()
                .filter(|(name, _)| !OWN.contains(&name.as_str()) && !name.ends_with("Time"))
                .map(|(name, member)| (name.clone(), plain(member)));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(entries) => entries.iter().map(plain).collect(),
        Value::String(text) if text.starts_with("/subscriptions/") => {
            let text = text.to_lowercase();
            // The service names the network of a file server by guids.
            let own = text.contains("/resourcegroups/fileserverrg-");
            if own {
                "the network of the file server".into()
            } else {
                text.into()
            }
        }
        other => other.clone(),
    }
}

/// The first difference of two values at `way`.
fn first(way: &str, old: &Value, new: &Value) -> Option<String> {
    match (old, new) {
        (Value::Object(was), Value::Object(is)) => {
            let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
            names.into_iter().find_map(|name| {
                let of = |all: &Map<String, Value>| all.get(name).cloned().unwrap_or_default();
                first(&format!("{way}.{name}"), &of(was), &of(is))
            })
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => was
            .iter()
            .zip(is)
            .enumerate()
            .find_map(|(at, (was, is))| first(&format!("{way}[{at}]"), was, is)),
        _ if old == new => None,
        _ => Some(format!(
            "{way}: {} in the old form, {} in the new one",
            short(old),
            short(new)
        )),
    }
}

fn short(value: &Value) -> String {
    const MOST: usize = 120;
    let text = match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MOST) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(status: u16, body: Value, state: Value) -> Seen {
        Seen {
            answers: vec![Answer { status, body }],
            state: vec![state],
        }
    }

    fn differs(old: &Seen, new: &Seen) -> Option<String> {
        let replay = Replay::default();
        difference((&replay, old), (&replay, new))
    }

    #[test]
    fn versions_times_and_folders_do_not_count_and_members_do() {
        let state = |size: &str, time: &str| {
            json!({"id": "/x/providers/Microsoft.BatchAI/workspaces/w/clusters/c", "properties":
                {"vmSize": size, "creationTime": time, "jobOutputDirectoryPathSegment": time}})
        };
        let old = seen(202, json!({"id": "/g/clusters/c"}), state("A", "1"));
        let new = seen(200, json!({"id": "/g/workspaces/w/clusters/C"}), state("A", "2"));
        assert_eq!(differs(&old, &new), None);
        let new = seen(200, json!({"id": "/g/clusters/c"}), state("B", "2"));
        assert_eq!(
            differs(&old, &new).unwrap(),
            "workspaces/w/clusters/c.properties.vmSize: \"A\" in the old form, \"B\" in the new one"
        );
        let new = seen(200, json!({"id": "/g/clusters/d"}), state("A", "2"));
        assert!(differs(&old, &new).unwrap().contains("clusters/d"));
        let new = seen(
            404,
            json!({"error": {"code": "WorkspaceNotFound", "message": "m"}}),
            state("A", "2"),
        );
        assert!(differs(&old, &new).unwrap().contains("WorkspaceNotFound"));
        let gone = Seen {
            state: Vec::new(),
            ..old.clone()
        };
        assert!(differs(&old, &gone).unwrap().contains("not after the new one"));
        assert!(differs(&gone, &old).unwrap().contains("not after the old one"));
    }

    #[test]
    fn what_the_client_does_by_itself_counts_too() {
        let seen = Seen::default();
        let asks = Replay {
            client: BTreeMap::from([("--yes", "it asks first".to_owned())]),
            ..Replay::default()
        };
        let not = Replay::default();
        assert!(
            difference((&not, &seen), (&asks, &seen))
                .unwrap()
                .starts_with("--yes: nothing")
        );
        let refused = Replay {
            refused: Some("why".to_owned()),
            ..Replay::default()
        };
        assert!(
            difference((&not, &seen), (&refused, &seen))
                .unwrap()
                .contains("why")
        );
        assert!(
            difference((&refused, &seen), (&not, &seen))
                .unwrap()
                .contains("why")
        );
        assert!(difference((&refused, &seen), (&refused, &seen)).is_none());
    }
}
