//! What is written against the OpenAPI document: every answer of every test here is checked by it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::Method;
use jiff::{Span, Timestamp};
use serde_json::{Map, Value};

/// The document, made once.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(trainyard_server::openapi::document);

/// What is being looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Answer,
}

/// The operation of the document at a path, with or without a query.
pub fn operation(method: &Method, uri: &str) -> Option<&'static Value> {
    let path = uri.split('?').next().unwrap_or("").trim_end_matches('/');
    let fits = |pattern: &str| {
        let (wanted, given): (Vec<&str>, Vec<&str>) =
            (pattern.split('/').collect(), path.split('/').collect());
        wanted.len() == given.len()
            && wanted
                .iter()
                .zip(given)
                .all(|(w, g)| w.starts_with('{') || w.eq_ignore_ascii_case(g))
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let (_, operations) = paths.iter().find(|(pattern, _)| fits(pattern))?;
    operations.get(method.as_str().to_ascii_lowercase())
}

/// What an answer has that the document does not allow.
pub fn wrong_answer(operation: &Value, status: u16, body: &[u8]) -> Vec<String> {
    let responses = &operation["responses"];
    let response = match responses.get(status.to_string()) {
        Some(response) => response,
        None if status >= 400 => &responses["default"],
        None => return vec![format!("{status} is not among the responses")],
    };
    match (response.get("content"), body) {
        (None, []) => Vec::new(),
        (None, _) => vec![format!("{status} has no body in the document")],
        (Some(content), body) => match serde_json::from_slice(body) {
            Ok(value) => wrong(&content["application/json"]["schema"], &value, Side::Answer),
            Err(error) => vec![error.to_string()],
        },
    }
}

/// What a value has that a schema does not allow.
pub fn wrong(schema: &Value, value: &Value, side: Side) -> Vec<String> {
    let mut found = Vec::new();
    check("", schema, value, side, &mut found);
    found
}

/// The model behind `#/components/schemas/…`.
pub fn resolve(reference: &str) -> &'static Value {
    let pointer = reference.trim_start_matches('#');
    DOCUMENT
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// A schema with all that it refers to put in place.
fn flat(schema: &Value) -> Map<String, Value> {
    let mut whole = Map::new();
    let referred = schema.get("$ref").map(|r| resolve(r.as_str().unwrap()));
    let parts = schema.get("allOf").and_then(Value::as_array);
    for part in referred.into_iter().chain(parts.into_iter().flatten()) {
        merge(&mut whole, flat(part));
    }
    merge(&mut whole, schema.as_object().unwrap().clone());
    whole
}

fn merge(whole: &mut Map<String, Value>, part: Map<String, Value>) {
    for (name, value) in part {
        match (whole.get_mut(&name), value) {
            (Some(Value::Object(members)), Value::Object(more)) => members.extend(more),
            (Some(Value::Array(names)), Value::Array(more)) => names.extend(more),
            (_, value) => drop(whole.insert(name, value)),
        }
    }
}

fn check(at: &str, schema: &Value, value: &Value, side: Side, found: &mut Vec<String>) {
    let schema = flat(schema);
    if schema.get("writeOnly").is_some_and(|w| w == true) && side == Side::Answer {
        found.push(format!("{at} is never in an answer"));
    }
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or("");
    let right = match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("{at}: a type that no model has: {other:?}"),
    };
    if !right {
        found.push(format!("{at} is {value}, not of type {kind}"));
        return;
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        found.push(format!("{at} is {value}, not one of {words:?}"));
    }
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && !has_format(format, value)
    {
        found.push(format!("{at} is {value}, not in the format {format}"));
    }
    for (i, entry) in value.as_array().into_iter().flatten().enumerate() {
        check(&format!("{at}[{i}]"), &schema["items"], entry, side, found);
    }
    if let Some(members) = value.as_object() {
        object(at, &schema, members, side, found);
    }
}

fn object(
    at: &str,
    schema: &Map<String, Value>,
    members: &Map<String, Value>,
    side: Side,
    found: &mut Vec<String>,
) {
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            found.push(format!("{at}.{} is missing", name.as_str().unwrap()));
        }
    }
    let known: BTreeMap<&String, &Value> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .collect();
    for (name, member) in members {
        let at = format!("{at}.{name}");
        match known.get(name).copied().or(schema.get("additionalProperties")) {
            Some(schema) => check(&at, schema, member, side, found),
            None => found.push(format!("{at} is not in the document")),
        }
    }
}

fn has_format(format: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or("");
    match format {
        "date-time" => text.parse::<Timestamp>().is_ok(),
        // The old way of writing a duration is still read.
        "duration" => text.parse::<Span>().is_ok() || text == "7.00:00:00",
        "int32" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        "int64" => value.as_i64().is_some(),
        other => panic!("a format that no model has: {other}"),
    }
}
