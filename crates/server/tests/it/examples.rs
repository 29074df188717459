//! Every published example of 2018-05-01 is accepted where the resources that it names are, and answered in
//! its shape.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};
use trainyard_server::Settings;
use trainyard_store::db::InlineHandle;

use crate::house::{House, SUBSCRIPTION, job_path, reference, settings};

const BASE: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/demo_resource_group\
                    /providers/Microsoft.BatchAI/workspaces";

/// A house with the tree that the examples name.
fn demo(folder: &Path) -> House {
    let house = House::with(
        Settings {
            ignore_missing_gpus: true,
            addresses: trainyard_engine::Addresses::Loopback,
            ..settings()
        },
        InlineHandle::memory().unwrap(),
    );
    house.group("demo_resource_group");
    for (name, path) in [
        ("PutWorkspace", "demo_workspace"),
        ("PutExperiment", "demo_workspace/experiments/demo_experiment"),
        // ListJobByExperiment writes the name so.
        ("PutExperiment", "demo_workspace/experiments/demo_experimnet"),
        ("PutFileServer", "demo_workspace/fileServers/demo_nfs"),
        // The one that PutCluster mounts, in a workspace that it writes so.
        ("PutWorkspace", "demo_workspaces"),
        ("PutFileServer", "demo_workspaces/fileServers/fileservercedd134b"),
        ("PutCluster", "demo_workspace/clusters/demo_cluster"),
        (
            "PutJob",
            "demo_workspace/experiments/demo_experiment/jobs/demo_job",
        ),
    ] {
        let body = example(folder, name)["parameters"]["parameters"].clone();
        house.put(&format!("{BASE}/{path}"), body).expect(200);
    }
    house
}

/// The names of the examples, in order.
pub fn names(folder: &Path) -> Vec<String> {
    let stem = |path: std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|file| stem(file.unwrap().path()))
        .collect();
    names.sort();
    assert!(names.len() >= 29, "{names:?}");
    names
}

/// An example.
pub fn example(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap()
}

/// Method and path of an example, which its file does not say.
pub fn call_of(name: &str, parameters: &Value) -> (Method, String) {
    let ws = format!("{BASE}/demo_workspace");
    let of = |member: &str| parameters[member].as_str().unwrap_or("").to_owned();
    let experiment = format!("{ws}/experiments/{}", of("experimentName"));
    let job = format!("{experiment}/jobs/{}", of("jobName"));
    let cluster = format!("{ws}/clusters/{}", of("clusterName"));
    let server = format!("{ws}/fileServers/{}", of("fileServerName"));
    let subscription = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI");
    let (method, path) = match name {
        "ClusterListRemoteLoginInfo" => (Method::POST, format!("{cluster}/listRemoteLoginInformation")),
        "JobListRemoteLoginInfo" => (Method::POST, format!("{job}/listRemoteLoginInformation")),
        "ListOutputFiles" => (
            Method::POST,
            format!(
                "{job}/listOutputFiles?outputdirectoryid={}",
                of("outputdirectoryid")
            ),
        ),
        "TerminateJob" => (Method::POST, format!("{job}/terminate")),
        "ListClusterByWorkspace" => (Method::GET, format!("{ws}/clusters")),
        "ListExperimentByWorkspace" => (Method::GET, format!("{ws}/experiments")),
        "ListFileServerByWorkspace" => (Method::GET, format!("{ws}/fileServers")),
        "ListJobByExperiment" => (Method::GET, format!("{experiment}/jobs")),
        "ListOperation" => (Method::GET, "/providers/Microsoft.BatchAI/operations".to_owned()),
        "ListUsages" => (
            Method::GET,
            format!("{subscription}/locations/{}/usages", of("location")),
        ),
        "ListWorkspace" => (Method::GET, format!("{subscription}/workspaces")),
        "ListWorkspaceByResourceGroup" => (Method::GET, BASE.to_owned()),
        other => {
            let kinds = [
                ("Cluster", &cluster),
                ("FileServer", &server),
                ("Experiment", &experiment),
                ("Job", &job),
                ("Workspace", &ws),
            ];
            let found = kinds
                .iter()
                .find_map(|(kind, path)| Some((other.strip_suffix(kind)?, (*path).clone())));
            let (verb, path) = found.unwrap_or_else(|| panic!("an example that nobody knows: {name}"));
            let method = match verb {
                "Get" => Method::GET,
                "Put" => Method::PUT,
                "Patch" => Method::PATCH,
                "Delete" => Method::DELETE,
                _ => panic!("an example that nobody knows: {name}"),
            };
            (method, path)
        }
    };
    (method, path)
}

/// Members of examples that the service itself decides and that ours leaves out, each with its reason.
const ABSENT: &[&str] = &[
    // A queued job has none (behaviour.md section 4).
    ".properties.executionInfo",
    ".value[].properties.executionInfo",
];

/// What the example has and the answer has not.
pub fn missing(at: &str, wanted: &Value, got: &Value, found: &mut Vec<String>) {
    if ABSENT.contains(&at) {
        return;
    }
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => {
            for (name, value) in wanted {
                let at = format!("{at}.{name}");
                match got.get(name) {
                    Some(got) => missing(&at, value, got, found),
                    // A null is a member without a value, which the service leaves out (api.md section 1).
                    None if value.is_null() || ABSENT.contains(&at.as_str()) => {}
                    None => found.push(format!("{at} is missing")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(got)) => {
            if let (Some(wanted), Some(got)) = (wanted.first(), got.first()) {
                missing(&format!("{at}[]"), wanted, got, found);
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => {}
        _ => found.push(format!("{at} is {got}, the example has {wanted}")),
    }
}

#[test]
fn every_example_is_accepted_and_answered_in_its_shape() {
    let Some(folder) = reference("spec/examples/2018-05-01") else {
        return;
    };
    let names = names(&folder);
    let mut wrong = BTreeMap::new();
    for name in &names {
        let house = demo(&folder);
        let example = example(&folder, name);
        let (method, path) = call_of(name, &example["parameters"]);
        let body = example["parameters"]["parameters"].clone();
        let answer = house.send(method, &path, &[], body);
        let allowed: Vec<u16> = example["responses"]
            .as_object()
            .unwrap()
            .keys()
            .map(|status| status.parse().unwrap())
            .collect();
        let mut found = Vec::new();
        if !allowed.contains(&answer.status) {
            found.push(format!("status {}: {}", answer.status, answer.text()));
        }
        let wanted = &example["responses"]["200"]["body"];
        if wanted.is_object() && answer.status == 200 {
            missing("", wanted, &answer.json(), &mut found);
        }
        if !found.is_empty() {
            wrong.insert(name.clone(), found);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_misspelt_cluster_id_of_put_job_reads_as_the_cluster() {
    let Some(folder) = reference("spec/examples/2018-05-01") else {
        return;
    };
    let house = demo(&folder);
    let path = format!("{BASE}/demo_workspace/experiments/demo_experiment/jobs/demo_job");
    let job = house.get(&path).expect(200).json();
    assert_eq!(
        job["properties"]["cluster"]["id"],
        format!("{BASE}/demo_workspace/clusters/demo_cluster")
    );
    assert_eq!(job["type"], "Microsoft.BatchAI/workspaces/experiments/jobs");
    assert_eq!(job["properties"]["toolType"], "custom");
    assert_eq!(
        job["properties"]["constraints"],
        json!({"maxWallClockTime": "P7D"})
    );
}

#[test]
fn what_is_around_the_service_is_answered() {
    let house = House::furnished(0);
    let subscription = format!("/subscriptions/{SUBSCRIPTION}");
    let list = house
        .get("/subscriptions?api-version=2016-06-01")
        .expect(200)
        .json();
    assert_eq!(list["value"][0]["subscriptionId"], SUBSCRIPTION);
    assert_eq!(list["value"][0]["state"], "Enabled");
    house
        .get(&format!("{subscription}?api-version=2019-11-01"))
        .expect(200);
    let provider = format!("{subscription}/providers/Microsoft.BatchAI");
    assert_eq!(
        house.get(&provider).expect(200).json()["registrationState"],
        "Registered"
    );
    house.post(&format!("{provider}/register")).expect(200);
    let group = format!("{subscription}/resourcegroups/RG");
    assert_eq!(house.get(&group).expect(200).json()["location"], "eastus");
    house.send(Method::HEAD, &group, &[], Value::Null).expect(204);
    house
        .send(Method::HEAD, &format!("{group}2"), &[], Value::Null)
        .expect(404);
    assert_eq!(
        house
            .get(&format!("{subscription}/resourcegroups"))
            .expect(200)
            .names(),
        ["rg"]
    );
    house
        .put(&group, json!({"location": "East US", "tags": {"a": "b"}}))
        .expect(200);
    assert_eq!(house.get(&group).json()["tags"], json!({"a": "b"}));
    house
        .put(&group, json!({"location": "westus"}))
        .error(409, "ResourceGroupAlreadyExists");
    assert_eq!(
        house.raw(Method::GET, "/healthz", &[], vec![]).expect(200).text(),
        "ok\n"
    );
    let figures = house.raw(Method::GET, "/metrics", &[], vec![]).expect(200).text();
    assert!(
        figures.contains("trainyard_waiting_line 0") && figures.contains("Workspaces_Create"),
        "{figures}"
    );
    house.get(&job_path("none")).error(404, "JobNotFound");
}
