//! Every published example of the flat api-versions is accepted where the resources that it names are, and answered
//! in its shape.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use serde_json::Value;
use trainyard_server::Settings;
use trainyard_store::db::InlineHandle;

use crate::examples::{example, missing};
use crate::house::{House, SUBSCRIPTION, reference, settings};

/// Method and path of an example; file and version say nothing of them.
fn call_of(name: &str, version: &str, parameters: &Value) -> (Method, String) {
    let of = |member: &str| parameters[member].as_str().unwrap_or("").to_owned();
    let subscription = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI");
    let group = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/demo_resource_group/providers/Microsoft.BatchAI"
    );
    let one = |kind: &str| match kind {
        "Cluster" => format!("{group}/clusters/{}", of("clusterName")),
        "FileServer" => format!("{group}/fileServers/{}", of("fileServerName")),
        "Job" => format!("{group}/jobs/{}", of("jobName")),
        other => panic!("{other} of {name}"),
    };
    let list = |kind: &str| match kind.strip_suffix("ByResourceGroup") {
        Some(kind) => format!("{group}/{kind}s"),
        None => format!("{subscription}/{kind}s"),
    };
    let verbs = [
        ("Get", Method::GET),
        ("Put", Method::PUT),
        ("Patch", Method::PATCH),
        ("Delete", Method::DELETE),
    ];
    let (method, path) = match name {
        "OperationList" => (Method::GET, "/providers/Microsoft.BatchAI/operations".to_owned()),
        "ListUsages" => (
            Method::GET,
            format!("{subscription}/locations/{}/usages", of("location")),
        ),
        "ListOutputFiles" => (Method::POST, format!("{}/listOutputFiles", one("Job"))),
        "TerminateJob" => (Method::POST, format!("{}/terminate", one("Job"))),
        "ClusterListRemoteLoginInfo" => (
            Method::POST,
            format!("{}/listRemoteLoginInformation", one("Cluster")),
        ),
        "JobListRemoteLoginInfo" => (Method::POST, format!("{}/listRemoteLoginInformation", one("Job"))),
        other => match other.strip_prefix("List") {
            Some(kind) => (Method::GET, list(kind)),
            None => verbs
                .into_iter()
                .find_map(|(verb, method)| Some((method, one(other.strip_prefix(verb)?))))
                .unwrap_or_else(|| panic!("an example that nobody knows: {name}")),
        },
    };
    let id = of("outputdirectoryid");
    (
        method,
        format!("{path}?api-version={version}&outputdirectoryid={id}"),
    )
}

/// A house with what the examples name.
fn demo(folder: &Path, version: &str) -> House {
    let house = House::with(
        Settings {
            ignore_missing_gpus: true,
            addresses: trainyard_engine::Addresses::Loopback,
            ..settings()
        },
        InlineHandle::memory().unwrap(),
    );
    house.group("demo_resource_group");
    let put = |name: &str, rename: Option<&str>| {
        let example = example(folder, name);
        let (method, path) = call_of(name, version, &example["parameters"]);
        let path = rename.map_or(path.clone(), |other| path.replace("demo_nfs", other));
        house
            .send(method, &path, &[], example["parameters"]["parameters"].clone())
            .expect(200);
    };
    put("PutFileServer", None);
    // The one that the cluster mounts.
    put("PutFileServer", Some("fileservercedd134b"));
    put("PutCluster", None);
    put("PutJob", None);
    house
}

#[test]
fn every_example_is_accepted_and_answered_in_its_shape() {
    let mut looked_at = 0;
    for version in ["2018-03-01", "2017-09-01-preview"] {
        let Some(folder) = reference(&format!("spec/examples/{version}")) else {
            return;
        };
        let mut wrong = BTreeMap::new();
        for file in std::fs::read_dir(&folder).unwrap() {
            let name = file
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let house = demo(&folder, version);
            let example = example(&folder, &name);
            let (method, path) = call_of(&name, version, &example["parameters"]);
            let answer = house.send(method, &path, &[], example["parameters"]["parameters"].clone());
            let responses = example["responses"].as_object().unwrap();
            let mut found = Vec::new();
            if !responses.contains_key(&answer.status.to_string()) {
                found.push(format!("status {}: {}", answer.status, answer.text()));
            }
            let wanted = &responses.get("200").unwrap_or(&Value::Null)["body"];
            if wanted.is_object() && answer.status == 200 {
                missing("", wanted, &answer.json(), &mut found);
            }
            if !found.is_empty() {
                wrong.insert(name, found);
            }
            looked_at += 1;
        }
        assert!(wrong.is_empty(), "{version}: {wrong:#?}");
    }
    assert_eq!(looked_at, 22 + 21);
}
