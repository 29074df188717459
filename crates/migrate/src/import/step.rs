//! One step of a plan: an old resource, and the item that the server is sent for it.

use serde_json::{Map, Value, json};

use super::id::OldId;
use super::read::{Kind, Resource};

/// Where the outputs of a job lie beneath their prefixes.
const SEGMENT: &str = "jobOutputDirectoryPathSegment";

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What kind of resource.
    pub kind: Kind,
    /// The old id.
    pub old: String,
    /// Where it is to stand: group, workspace, experiment of a job, name.
    pub new: String,
    /// The item.
    pub item: Value,
    /// What the person should know of it.
    pub notes: Vec<String>,
}

/// Where a resource is to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Group.
    pub group: String,
    /// Workspace.
    pub workspace: String,
    /// Its region.
    pub location: String,
}

/// The version in which the body of a resource is written: what the flat versions share is read by the later one.
fn version(resource: &Resource) -> &'static str {
    if resource.id.is_flat() {
        "2018-03-01"
    } else {
        "2018-05-01"
    }
}

/// The item of a resource.
pub fn item(
    resource: &Resource,
    target: &Target,
    experiment: Option<&str>,
    mut properties: Map<String, Value>,
) -> Value {
    let mut item = json!({
        "kind": resource.kind.word(),
        "resourceGroup": target.group,
        "workspace": target.workspace,
        "location": target.location,
        "name": resource.id.name,
        "version": version(resource),
    });
    if let Some(experiment) = experiment {
        item["experiment"] = experiment.into();
    }
    let mut body = Map::new();
    if resource.id.is_flat() {
        body.insert("location".to_owned(), target.location.clone().into());
    }
    if !resource.tags.is_empty() {
        body.insert("tags".to_owned(), Value::Object(resource.tags.clone()));
    }
    if resource.kind == Kind::Job && !properties.contains_key(SEGMENT) {
        // Nothing names where the outputs are: 2017-09-01-preview had one place for each job, without a folder for
        // stdout.
        let OldId {
            subscription,
            group,
            name,
            ..
        } = &resource.id;
        let segment = format!("{subscription}/{}/jobs/{name}", group.to_ascii_lowercase());
        properties.insert(SEGMENT.to_owned(), segment.into());
        body.insert("previewLayout".to_owned(), true.into());
    }
    body.insert("properties".to_owned(), Value::Object(properties));
    item["body"] = Value::Object(body);
    item
}
