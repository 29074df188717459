//! The OpenAPI document against the published specification and its examples, and as it is served.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::{House, reference};
use crate::schema::{self, DOCUMENT, Side};

/// Where our document departs from the specification of 2018-05-01, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "/schemas/CustomToolkitSettings/members/perNode",
        "ours: a command for every node",
    ),
    (
        "/schemas/JobProperties/members/experimentName",
        "the service wrote it undeclared (api.md section 5)",
    ),
    (
        "/schemas/JobProperties/members/constraints/members/maxWallClockTime/default",
        "what is written is ISO 8601",
    ),
    (
        "/schemas/JobBaseProperties/members/constraints/members/maxWallClockTime/default",
        "what is written is ISO 8601",
    ),
    (
        "/schemas/RemoteLoginInformation/members/port/type",
        "a port is a whole number",
    ),
    (
        "/schemas/ToolType/enum/5",
        "pytorch was forgotten there (api.md section 5)",
    ),
    (
        "/operations/Operations_List/responses/default",
        "an error can be answered everywhere",
    ),
    (
        "/operations/Usages_List/responses/default",
        "an error can be answered everywhere",
    ),
];

/// A schema in a form that both documents have: OpenAPI 2 and 3 write references and bodies differently.
/// Models that only ours has a name for stand in their place.
fn shape(schema: &Value, named: &BTreeSet<String>) -> Value {
    let mut shape = json!({});
    let reference = |schema: &Value| Some(schema.get("$ref")?.as_str()?.rsplit('/').next()?.to_owned());
    let parts = schema["allOf"].as_array().map_or(&[][..], |parts| parts);
    let is_member = schema.get("properties").is_none();
    let inner = reference(schema).or_else(|| reference(parts.first()?).filter(|_| is_member));
    match inner {
        Some(name) if named.contains(&name) => shape["of"] = json!(name),
        Some(name) => {
            shape = self::shape(schema::resolve(&format!("#/components/schemas/{name}")), named);
        }
        None => {
            let bases: Vec<_> = parts.iter().filter_map(reference).collect();
            shape["bases"] = json!(bases);
        }
    }
    for word in ["format", "enum", "default", "readOnly", "x-ms-client-flatten"] {
        if let Some(value) = schema.get(word).filter(|value| **value != false) {
            shape[word] = value.clone();
        }
    }
    if let Some(kind) = schema.get("type").filter(|kind| **kind != "object") {
        shape["type"] = kind.clone();
    }
    if let Some(names) = schema.get("x-ms-enum") {
        shape["words"] = names.clone();
    }
    if let Some(list) = schema.get("required").and_then(Value::as_array) {
        let required: BTreeSet<_> = list.iter().map(|name| name.as_str().unwrap()).collect();
        shape["required"] = json!(required);
    }
    for (word, below) in [("items", "items"), ("additionalProperties", "values")] {
        if let Some(below_schema) = schema.get(word) {
            shape[below] = self::shape(below_schema, named);
        }
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        shape["members"][name] = self::shape(member, named);
    }
    shape
}

/// An operation in a form that both documents have.
fn operation_shape(document: &Value, path: &str, method: &str, operation: &Value) -> Value {
    let model = |schema: &Value| {
        schema["$ref"]
            .as_str()
            .map(|r| r.rsplit('/').next().unwrap().to_owned())
    };
    let body =
        |holder: &Value| model(&holder["content"]["application/json"]["schema"]).or(model(&holder["schema"]));
    let mut takes = body(&operation["requestBody"]);
    let mut parameters = BTreeSet::new();
    for parameter in operation["parameters"].as_array().unwrap() {
        let found = match parameter["$ref"].as_str() {
            Some(reference) => document.pointer(&reference[1..]).unwrap(),
            None => parameter,
        };
        if found["in"] == "body" {
            takes = body(found);
            continue;
        }
        let schema = found.get("schema").unwrap_or(found);
        let limits = ["type", "format", "default", "minimum", "maximum"].map(|w| schema[w].to_string());
        let required = found["required"] == true;
        parameters.insert(format!("{} {} {required} {limits:?}", found["in"], found["name"]));
    }
    let responses: BTreeMap<_, _> = operation["responses"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(status, response)| (status, body(response)))
        .collect();
    json!({
        "at": format!("{method} {path}"),
        "takes": takes,
        "parameters": parameters,
        "responses": responses,
        "longRunning": operation["x-ms-long-running-operation"] == true,
        "pages": operation.get("x-ms-pageable"),
    })
}

/// Everything that is to be compared of a document.
fn shapes(document: &Value, schemas: &str, named: &BTreeSet<String>) -> Value {
    let mut all = json!({"schemas": {}, "operations": {}});
    for (name, schema) in document.pointer(schemas).unwrap().as_object().unwrap() {
        all["schemas"][name] = shape(schema, named);
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            all["operations"][id] = operation_shape(document, path, method, operation);
        }
    }
    all
}

/// Where `ours` departs from `theirs`. Models and operations that only ours has are no departure.
fn departures(at: &str, theirs: &Value, ours: &Value, found: &mut BTreeSet<String>) {
    let below = |key: &str| format!("{at}/{key}");
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let more = ours.keys().filter(|_| at != "/schemas" && at != "/operations");
            for key in theirs.keys().chain(more).collect::<BTreeSet<_>>() {
                let (theirs, ours) = (theirs.get(key), ours.get(key));
                departures(
                    &below(key),
                    theirs.unwrap_or(&Value::Null),
                    ours.unwrap_or(&Value::Null),
                    found,
                );
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            // As sets: where a word stands in a list means nothing.
            let only = |a: &[Value], b: &[Value]| -> Vec<usize> {
                (0..a.len()).filter(|&i| !b.contains(&a[i])).collect()
            };
            for i in only(ours, theirs) {
                found.insert(below(&i.to_string()));
            }
            for i in only(theirs, ours) {
                found.insert(below(&format!("without {}", theirs[i])));
            }
        }
        _ if theirs == ours => {}
        _ => {
            found.insert(at.to_owned());
        }
    }
}

#[test]
fn all_of_the_old_specification_is_in_the_document() {
    let Some(folder) = reference("spec") else { return };
    let text = fs::read_to_string(folder.join("2018-05-01.json")).unwrap();
    let spec: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    let named: BTreeSet<String> = spec["definitions"].as_object().unwrap().keys().cloned().collect();
    assert!(named.len() >= 70);
    let theirs = shapes(&spec, "/definitions", &named);
    let ours = shapes(&DOCUMENT, "/components/schemas", &named);
    assert!(theirs["operations"].as_object().unwrap().len() >= 29);
    let mut found = BTreeSet::new();
    departures("", &theirs, &ours, &mut found);
    let wanted: BTreeSet<String> = DIFFERENT.iter().map(|(at, _)| (*at).to_owned()).collect();
    assert!(
        found == wanted,
        "not meant: {:#?}\nnot found: {:#?}",
        found.difference(&wanted).collect::<Vec<_>>(),
        wanted.difference(&found).collect::<Vec<_>>()
    );
}

/// The examples as the service would write them: it never writes null.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[test]
fn every_published_example_fits_the_document() {
    let Some(folder) = reference("spec/examples/2018-05-01") else {
        return;
    };
    let (mut wrong, mut bodies) = (BTreeMap::new(), 0);
    for name in crate::examples::names(&folder) {
        let mut example = crate::examples::example(&folder, &name);
        without_nulls(&mut example);
        let (method, path) = crate::examples::call_of(&name, &example["parameters"]);
        let operation = schema::operation(&method, &path).unwrap();
        if let Some(request) = example["parameters"].get("parameters") {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if schema.is_null() {
                // An experiment's PUT has no body in the specification, whatever its example says.
                assert_eq!(name, "PutExperiment");
                continue;
            }
            wrong.insert(
                format!("{name} request"),
                schema::wrong(schema, request, Side::Request),
            );
            bodies += 1;
        }
        for (status, response) in example["responses"].as_object().unwrap() {
            let body = response
                .get("body")
                .map_or(Vec::new(), |body| body.to_string().into_bytes());
            bodies += usize::from(!body.is_empty());
            let found = schema::wrong_answer(operation, status.parse().unwrap(), &body);
            wrong.insert(format!("{name} {status}"), found);
        }
    }
    wrong.retain(|_, found| !found.is_empty());
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(bodies >= 28, "{bodies}");
}

#[test]
fn the_document_is_served_to_whoever_has_a_token() {
    let house = House::bare();
    let path = "/trainyard/openapi/2026-12-01-preview.json";
    let get = || house.raw(Method::GET, path, &[], vec![]);
    assert_eq!(get().expect(200).json(), *DOCUMENT);
    house.token.replace(String::new());
    get().error(401, "AuthenticationFailed");
}

#[test]
fn what_does_not_fit_is_found() {
    let job = json!({"$ref": "#/components/schemas/Job"});
    for (answer, wanted) in [
        (json!({"name": 1}), ".name is 1, not of type string"),
        (json!({"nothing": "x"}), ".nothing is not in the document"),
        (
            json!({"properties": {"cluster": {}}}),
            ".properties.cluster.id is missing",
        ),
        (
            json!({"properties": {"schedulingPriority": "High"}}),
            ".properties.schedulingPriority is \"High\", not one of",
        ),
        (
            json!({"properties": {"creationTime": "now"}}),
            ".properties.creationTime is \"now\", not in the format date-time",
        ),
        (
            json!({"properties": {"secrets": [{"name": "a", "value": "b"}]}}),
            ".properties.secrets[0].value is never in an answer",
        ),
    ] {
        let found = schema::wrong(&job, &answer, Side::Answer);
        assert!(
            found.len() == 1 && found[0].starts_with(wanted),
            "{answer}: {found:?}"
        );
    }
    let list = schema::operation(&Method::GET, "/providers/microsoft.batchai/operations?x=y").unwrap();
    assert!(schema::wrong_answer(list, 201, b"").len() == 1);
    assert!(schema::wrong_answer(list, 404, br#"{"error": {"code": "a", "message": "b"}}"#).is_empty());
}
