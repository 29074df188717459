//! Domain resources made from wire bodies, for tests that write them again.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{GroupName, Name, Region, SubscriptionId};
use trainyard_domain::resource_id::GroupPath;
use trainyard_domain::spec::{ClusterSpec, FileServerSpec, JobSpec};
use trainyard_domain::state::*;
use trainyard_wire::v2018_05_01 as wire;

/// Puts secrets back where an answer has left them out.
pub fn with_secrets(mut body: Value) -> Value {
    fill(&mut body);
    body
}

fn fill(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let lacks = |m: &Map<String, Value>, name: &str| {
                !m.contains_key(name) && !m.contains_key(&format!("{name}SecretReference"))
            };
            for (name, member) in members.iter_mut() {
                if let Some(object) = member.as_object_mut() {
                    let secret = match name.as_str() {
                        "credentials" if object.contains_key("username") => "password",
                        "credentials" => "accountKey",
                        "appInsightsReference" => "instrumentationKey",
                        "userAccountSettings" => "adminUserPassword",
                        _ => "",
                    };
                    if !secret.is_empty() && lacks(object, secret) {
                        object.insert(secret.to_owned(), json!("hush"));
                    }
                }
                if let ("secrets", Some(list)) = (name.as_str(), member.as_array_mut()) {
                    for variable in list.iter_mut().filter_map(Value::as_object_mut) {
                        if lacks(variable, "value") {
                            variable.insert("value".to_owned(), json!("hush"));
                        }
                    }
                }
                fill(member);
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(fill),
        _ => {}
    }
}

fn time(body: &Value, member: &str) -> Timestamp {
    body["properties"][member]
        .as_str()
        .map_or(Timestamp::UNIX_EPOCH, |t| t.parse().unwrap())
}

/// A segment of the id after the segment `kind`.
fn segment<'a>(body: &'a Value, kind: &str) -> &'a str {
    let mut segments = body["id"].as_str().unwrap().split('/');
    segments.find(|s| s.eq_ignore_ascii_case(kind));
    segments.next().unwrap_or("ws")
}

fn name(text: &str) -> Name {
    Name::new(text, "name").unwrap()
}

fn scope(body: &Value) -> GroupPath {
    GroupPath {
        subscription: SubscriptionId::new(segment(body, "subscriptions")).unwrap(),
        group: GroupName::new(segment(body, "resourceGroups")).unwrap(),
    }
}

fn meta(body: &Value) -> Meta {
    Meta {
        uid: Uid(1),
        name: name(body["name"].as_str().unwrap()),
        created: time(body, "creationTime"),
        modified: time(body, "creationTime"),
        revision: 1,
        provisioning: Provisioning::Succeeded,
        provisioning_since: time(body, "provisioningStateTransitionTime"),
    }
}

pub fn workspace(body: &Value) -> Workspace {
    let wish = wire::workspace_create(body.to_string().as_bytes()).unwrap();
    Workspace {
        meta: meta(body),
        scope: scope(body),
        region: wish.region,
        tags: wish.tags,
    }
}

pub fn experiment(body: &Value) -> Experiment {
    Experiment {
        meta: meta(body),
        scope: scope(body),
        workspace: name(segment(body, "workspaces")),
    }
}

pub fn cluster(body: &Value) -> Cluster {
    let spec = wire::cluster_create(with_secrets(body.clone()).to_string().as_bytes()).unwrap();
    cluster_of(spec, body)
}

pub fn cluster_of(spec: ClusterSpec, body: &Value) -> Cluster {
    let properties = &body["properties"];
    let count = |member: &str| properties["nodeStateCounts"][member].as_u64().unwrap_or(0) as u32;
    Cluster {
        meta: meta(body),
        scope: scope(body),
        workspace: name(segment(body, "workspaces")),
        spec,
        status: ClusterStatus {
            allocation: match properties["allocationState"].as_str() {
                Some("resizing") => Allocation::Resizing,
                _ => Allocation::Steady,
            },
            allocation_since: time(body, "allocationStateTransitionTime"),
            wanted_nodes: 0,
            shortage: None,
            std_out_err_path_suffix: "suffix".to_owned(),
            last_node_number: 0,
            setback: None,
            subnet: None,
        },
        counts: NodeStateCounts {
            idle: count("idleNodeCount"),
            running: count("runningNodeCount"),
            preparing: count("preparingNodeCount"),
            unusable: count("unusableNodeCount"),
            leaving: count("leavingNodeCount"),
        },
    }
}

pub fn file_server(body: &Value) -> FileServer {
    let spec = wire::file_server_create(with_secrets(body.clone()).to_string().as_bytes()).unwrap();
    file_server_of(spec, body)
}

pub fn file_server_of(spec: FileServerSpec, body: &Value) -> FileServer {
    let settings = &body["properties"]["mountSettings"];
    let text = |member: &str| settings[member].as_str().unwrap_or_default().to_owned();
    FileServer {
        meta: meta(body),
        scope: scope(body),
        workspace: name(segment(body, "workspaces")),
        spec,
        mount_settings: settings.is_object().then(|| MountSettings {
            mount_point: text("mountPoint"),
            public_ip: text("fileServerPublicIP"),
            internal_ip: text("fileServerInternalIP"),
        }),
        made_subnet: None,
        folder: None,
    }
}

pub fn job(body: &Value) -> Job {
    let spec = wire::job_create(with_secrets(body.clone()).to_string().as_bytes()).unwrap();
    job_of(spec, body)
}

pub fn job_of(spec: JobSpec, body: &Value) -> Job {
    let properties = &body["properties"];
    let segment_text = properties["jobOutputDirectoryPathSegment"]
        .as_str()
        .unwrap_or_default();
    let mut status = JobStatus::new(
        segment_text.to_owned(),
        std::collections::BTreeMap::new(),
        time(body, "executionStateTransitionTime"),
    );
    status.phase = match properties["executionState"].as_str() {
        Some("running") => JobPhase::Running,
        Some("failed") => JobPhase::Failed,
        _ => JobPhase::Queued,
    };
    status.execution = properties["executionInfo"].as_object().map(|info| ExecutionInfo {
        start: info["startTime"].as_str().unwrap().parse().unwrap(),
        end: info.get("endTime").map(|t| t.as_str().unwrap().parse().unwrap()),
        exit_code: info.get("exitCode").map(|c| c.as_i64().unwrap() as i32),
        errors: info
            .get("errors")
            .and_then(Value::as_array)
            .map_or(Vec::new(), |errors| {
                let text = |e: &Value, member: &str| e[member].as_str().unwrap().to_owned();
                errors
                    .iter()
                    .map(|e| BatchAiError::new(&text(e, "code"), text(e, "message")))
                    .collect()
            }),
    });
    Job {
        meta: meta(body),
        scope: scope(body),
        workspace: name(segment(body, "workspaces")),
        experiment: name(segment(body, "experiments")),
        cluster: Uid(2),
        spec,
        status,
    }
}

pub fn group() -> Group {
    Group {
        uid: Uid(1),
        path: GroupPath {
            subscription: SubscriptionId::new("s-1").unwrap(),
            group: GroupName::new("Rg").unwrap(),
        },
        region: Region::new("eastus", "location").unwrap(),
        tags: Tags::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]),
        provisioning: Provisioning::Succeeded,
    }
}
