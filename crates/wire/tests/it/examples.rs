//! Every published example of the version (spec/examples/2018-05-01).

use serde_json::{Value, json};
use trainyard_wire::v2018_05_01 as wire;

use crate::{build, reference};

fn examples() -> Option<Vec<(String, Value)>> {
    let files = reference::json_files(&reference::folder("spec/examples/2018-05-01")?);
    assert!(files.len() >= 29, "only {} examples", files.len());
    Some(files)
}

#[test]
fn every_request_is_accepted() {
    let Some(examples) = examples() else { return };
    let mut accepted = Vec::new();
    for (name, example) in examples {
        let Some(request) = example["parameters"].get("parameters") else {
            continue;
        };
        let body = request.to_string();
        let body = body.as_bytes();
        match name.as_str() {
            "PutWorkspace" => drop(wire::workspace_create(body).unwrap()),
            "PatchWorkspace" => assert!(wire::workspace_update(body).unwrap().is_some()),
            "PutExperiment" => wire::experiment_create(body).unwrap(),
            "PutCluster" => drop(wire::cluster_create(body).unwrap()),
            "PatchCluster" => assert!(wire::cluster_update(body).unwrap().is_some()),
            "PutFileServer" => drop(wire::file_server_create(body).unwrap()),
            "PutJob" => {
                let spec = wire::job_create(body).unwrap();
                let id = spec.cluster.as_str();
                assert!(id.contains("/workspaces/demo_workspace/clusters/"), "{id}");
            }
            other => panic!("{other} has a request body that nothing reads"),
        }
        accepted.push(name);
    }
    assert_eq!(accepted.len(), 7, "{accepted:?}");
}

/// The published answers where they differ from recorded ones, which win (api.md sections 1 and 5).
fn as_recorded(name: &str, mut body: Value) -> Value {
    let kind = match name {
        n if n.contains("Workspace") && !n.contains("By") => "Microsoft.BatchAI/workspaces",
        "ListWorkspaceByResourceGroup" => "Microsoft.BatchAI/workspaces",
        n if n.contains("Cluster") => "Microsoft.BatchAI/workspaces/clusters",
        n if n.contains("FileServer") => "Microsoft.BatchAI/workspaces/fileservers",
        n if n.contains("Experiment") && !n.contains("Job") => "Microsoft.BatchAI/workspaces/experiments",
        _ => "Microsoft.BatchAI/workspaces/experiments/jobs",
    };
    body["type"] = json!(kind);
    // Some ids are misspelt or lack a segment, and some end in another name than the resource's.
    let id = body["id"]
        .as_str()
        .unwrap()
        .replace("/workspace/", "/workspaces/");
    let (parent, _) = id.rsplit_once('/').unwrap();
    let parent = match kind.ends_with("/jobs") && !parent.contains("/experiments/") {
        true => parent.replace("/jobs", "/experiments/demo_experiment/jobs"),
        false => parent.to_owned(),
    };
    body["id"] = json!(format!("{parent}/{}", body["name"].as_str().unwrap()));
    let properties = body["properties"].as_object_mut().unwrap();
    if kind.ends_with("/jobs") {
        // Undeclared, but recorded; and a cluster's id of an older version is no cluster here.
        properties.insert("experimentName".to_owned(), json!("demo_experiment"));
        let cluster = &mut properties["cluster"]["id"];
        if !cluster.as_str().unwrap().contains("/workspace") {
            let id = cluster
                .as_str()
                .unwrap()
                .replace("/clusters/", "/workspaces/demo_workspace/clusters/");
            *cluster = json!(id);
        }
        let id = properties["cluster"]["id"]
            .as_str()
            .unwrap()
            .replace("/workspace/", "/workspaces/");
        properties["cluster"]["id"] = json!(id);
    }
    body
}

fn written(name: &str, body: &Value) -> Value {
    match body["type"].as_str().unwrap().rsplit('/').next().unwrap() {
        "workspaces" => wire::workspace(&build::workspace(body)),
        "experiments" => wire::experiment(&build::experiment(body)),
        "clusters" => wire::cluster(&build::cluster(body), &[]),
        "fileservers" => wire::file_server(&build::file_server(body)),
        "jobs" => wire::job(&build::job(body)),
        other => panic!("{name}: {other}"),
    }
}

#[test]
fn every_answer_with_a_resource_is_reproduced() {
    let Some(examples) = examples() else { return };
    let mut compared = 0;
    for (name, example) in examples {
        let Some(body) = example["responses"]["200"].get("body") else {
            continue;
        };
        let bodies = match body.get("value").and_then(Value::as_array) {
            Some(list) if list.iter().all(|one| one.get("id").is_some()) => list.clone(),
            Some(_) => continue,
            None => vec![body.clone()],
        };
        for body in bodies {
            let wanted = as_recorded(&name, body);
            let found = written(&name, &wanted);
            assert_eq!(found, wanted, "{name}\n{found:#}\n{wanted:#}");
            compared += 1;
        }
    }
    assert!(compared >= 16, "only {compared}");
}

#[test]
fn files_logins_usages_and_operations_are_reproduced() {
    let Some(examples) = examples() else { return };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut compared = 0;
    for (name, example) in examples {
        let body = &example["responses"]["200"]["body"];
        let rows = body["value"].as_array().cloned().unwrap_or_default();
        let (found, wanted) = match name.as_str() {
            "ListOutputFiles" => {
                let entry = |row: &Value| wire::FileEntry {
                    name: text(&row["name"]),
                    kind: match row["fileType"].as_str() {
                        Some("directory") => wire::FileKind::Directory,
                        _ => wire::FileKind::File {
                            download_url: text(&row["downloadUrl"]),
                            modified: text(&row["properties"]["lastModified"]).parse().unwrap(),
                            length: row["properties"]["contentLength"].as_u64().unwrap(),
                        },
                    },
                };
                let entries: Vec<wire::FileEntry> = rows.iter().map(entry).collect();
                (wire::files(&entries, None), body.clone())
            }
            "ClusterListRemoteLoginInfo" | "JobListRemoteLoginInfo" => {
                let login = |row: &Value| wire::RemoteLogin {
                    node_id: text(&row["nodeId"]),
                    ip_address: text(&row["ipAddress"]),
                    port: row["port"].as_u64().unwrap() as u16,
                };
                let logins: Vec<_> = rows.iter().map(login).collect();
                (wire::remote_login(&logins, None), body.clone())
            }
            "ListUsages" => {
                let usage = |row: &Value| wire::UsageRow {
                    name: text(&row["name"]["value"]),
                    localized_name: text(&row["name"]["localizedValue"]),
                    current: row["currentValue"].as_u64().unwrap() as u32,
                    limit: row["limit"].as_u64().unwrap(),
                };
                let usages: Vec<_> = rows.iter().map(usage).collect();
                (wire::usages(&usages), body.clone())
            }
            "ListOperation" => {
                let texts: Vec<[String; 5]> = rows
                    .iter()
                    .map(|row| {
                        let display = |member: &str| text(&row["display"][member]);
                        [
                            text(&row["name"]),
                            display("provider"),
                            display("resource"),
                            display("operation"),
                            display("description"),
                        ]
                    })
                    .collect();
                let operations: Vec<wire::OperationRow<'_>> = texts
                    .iter()
                    .map(
                        |[name, provider, resource, operation, description]| wire::OperationRow {
                            name,
                            provider,
                            resource,
                            operation,
                            description,
                        },
                    )
                    .collect();
                let mut wanted = body.clone();
                for row in wanted["value"].as_array_mut().unwrap() {
                    // The service never writes null.
                    assert_eq!(
                        row.as_object_mut().unwrap().remove("properties"),
                        Some(Value::Null)
                    );
                }
                (wire::operation_list(&operations), wanted)
            }
            _ => continue,
        };
        assert_eq!(found, wanted, "{name}\n{found:#}\n{wanted:#}");
        compared += 1;
    }
    assert_eq!(compared, 5);
}
