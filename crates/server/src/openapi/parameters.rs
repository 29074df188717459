//! Parameters of paths and queries.

use serde_json::{Map, Value, json};
use trainyard_domain::limits;
use trainyard_wire::ApiVersion;

/// Every parameter by its name, as in `components.parameters`.
pub fn all(version: ApiVersion) -> Map<String, Value> {
    let (least, most, usual) = limits::LINK_MINUTES;
    let resource = json!({
        "type": "string", "minLength": 1, "maxLength": limits::NAME_LENGTH, "pattern": "^[-0-9A-Za-z_]+$",
    });
    let group = json!({
        "type": "string", "minLength": 1, "maxLength": limits::GROUP_NAME_LENGTH,
        "pattern": "^[-0-9A-Za-z_.()]*[-0-9A-Za-z_()]$",
    });
    let text = json!({ "type": "string" });
    let page = json!({
        "type": "integer", "format": "int32", "minimum": 1, "maximum": limits::PAGE_SIZE, "default": limits::PAGE_SIZE,
    });
    let minutes = json!({
        "type": "integer", "format": "int32", "minimum": least, "maximum": most, "default": usual,
    });
    let here = json!({ "type": "string", "default": "." });
    let version = json!({ "type": "string", "enum": [version.as_str()] });
    [
        path("subscriptionId", &text, "The subscription."),
        path("resourceGroupName", &group, "The resource group."),
        path("location", &text, "The region."),
        path("operationId", &text, "The long-running operation."),
        path("workspaceName", &resource, "The workspace."),
        path("experimentName", &resource, "The experiment."),
        path("jobName", &resource, "The job."),
        path("clusterName", &resource, "The cluster."),
        path("fileServerName", &resource, "The file server."),
        query("api-version", true, &version, "The version of the API."),
        query("maxresults", false, &page, "Most entries of a page."),
        query(
            "outputdirectoryid",
            true,
            &text,
            "The output directory: an id of outputDirectories, or stdouterr.",
        ),
        query(
            "directory",
            false,
            &here,
            "The directory in it, as a path from there.",
        ),
        query(
            "linkexpiryinminutes",
            false,
            &minutes,
            "How many minutes the links to files hold.",
        ),
    ]
    .into_iter()
    .collect()
}

fn path(name: &str, schema: &Value, about: &str) -> (String, Value) {
    parameter(name, "path", true, schema, about)
}

fn query(name: &str, required: bool, schema: &Value, about: &str) -> (String, Value) {
    parameter(name, "query", required, schema, about)
}

fn parameter(name: &str, place: &str, required: bool, schema: &Value, about: &str) -> (String, Value) {
    let mut parameter = json!({
        "name": name, "in": place, "required": required, "description": about, "schema": schema,
    });
    // The others belong to the client as a whole, for the vendor's generator.
    if !["subscriptionId", "api-version"].contains(&name) {
        parameter["x-ms-parameter-location"] = "method".into();
    }
    (name.to_owned(), parameter)
}

/// References to the parameters of an operation.
pub fn of(path: &str, query: &[&str]) -> Vec<Value> {
    let in_path = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    in_path
        .chain(query.iter().copied())
        .chain(["api-version"])
        .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }))
        .collect()
}
