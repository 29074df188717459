//! GPUs: each is one node's alone, and jobs are told what their nodes really have.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trainyard_domain::ids::GpuId;
use trainyard_domain::state::Verdict;
use trainyard_server::Settings;
use trainyard_store::db::InlineHandle;

use crate::house::{House, cluster, cluster_id, job, job_path, settings};

/// A house on a machine with these GPUs.
fn house(gpus: &[&str], ignore_missing_gpus: bool) -> House {
    let settings = Settings {
        ignore_missing_gpus,
        ..settings()
    };
    let house = House::with(settings, InlineHandle::memory().unwrap()).furnish(0);
    offer(&house, gpus);
    house
}

fn offer(house: &House, gpus: &[&str]) {
    let gpus = gpus.iter().map(|gpu| GpuId((*gpu).to_owned())).collect();
    house.engine.state().capacity.gpus = gpus;
}

/// The cluster `name` of nodes with one GPU each.
fn gpu_cluster(house: &House, name: &str, nodes: u32) -> Value {
    let mut body = cluster(nodes);
    body["properties"]["vmSize"] = json!("Standard_NC6");
    house.put(&format!("~/clusters/{name}"), body).expect(200);
    house.pump();
    shown(house, name)
}

fn shown(house: &House, name: &str) -> Value {
    house.get(&format!("~/clusters/{name}")).expect(200).json()["properties"].clone()
}

fn message(shown: &Value) -> &str {
    shown["errors"][0]["message"].as_str().unwrap()
}

/// A job of so many nodes whose preparation runs on each of them.
fn submit(house: &House, name: &str, cluster: &str, nodes: u32) {
    let mut wish = job("true");
    wish["properties"]["cluster"]["id"] = json!(cluster_id(cluster));
    wish["properties"]["nodeCount"] = json!(nodes);
    wish["properties"]["jobPreparation"] = json!({"commandLine": "true"});
    house.put(&job_path(name), wish).expect(200);
    house.pump();
}

/// What the nodes were given, in the order in which they began.
fn given(house: &House) -> Vec<Vec<String>> {
    let state = house.engine.state();
    let mut begun = BTreeSet::new();
    // A node may be told again.
    let plans = state.plans.iter().filter(|plan| begun.insert(plan.uid));
    plans
        .map(|plan| plan.gpus.iter().map(ToString::to_string).collect())
        .collect()
}

/// AZ_BATCHAI_NUM_GPUS on each node of the latest launches.
fn told(house: &House, launches: usize) -> Vec<String> {
    let state = house.engine.state();
    let latest = state.launches.iter().rev().take(launches);
    latest
        .map(|(_, plan)| {
            let environment = &plan.preparation.as_ref().unwrap().environment;
            let number = environment["AZ_BATCHAI_NUM_GPUS"].clone();
            assert_eq!(environment["AZ_BATCHAI_NUM_GPUS_PER_NODE"], number);
            number
        })
        .collect()
}

#[test]
fn a_size_with_more_gpus_than_the_machine_is_not_available() {
    let house = house(&[], false);
    let none = gpu_cluster(&house, "g", 1);
    assert_eq!(
        (&none["currentNodeCount"], &none["errors"][0]["code"]),
        (&json!(0), &json!("NotAvailable"))
    );
    assert!(
        message(&none).contains("Nodes of size Standard_NC6 have 1 GPU and this machine offers 0"),
        "{none}"
    );
    offer(&house, &["GPU-a"]);
    house.full_pump();
    let there = shown(&house, "g");
    assert_eq!(there["currentNodeCount"], 1);
    assert!(there.get("errors").is_none());
}

#[test]
fn a_gpu_is_one_nodes_alone_until_nothing_is_left_of_that_node() {
    let house = house(&["GPU-a", "GPU-b", "GPU-c"], false);
    assert_eq!(gpu_cluster(&house, "g", 2)["currentNodeCount"], 2);
    let short = gpu_cluster(&house, "h", 2);
    assert_eq!(
        (&short["currentNodeCount"], &short["allocationState"]),
        (&json!(1), &json!("steady"))
    );
    assert!(message(&short).contains("offers 3 GPUs, 0 free"), "{short}");
    assert_eq!(given(&house), [["GPU-a"], ["GPU-b"], ["GPU-c"]]);
    // A node without GPUs takes none.
    house.put("~/clusters/d", cluster(1)).expect(200);
    house.pump();
    assert_eq!(given(&house).last().map(Vec::len), Some(0));
    // A leaving node keeps its GPU as long as its job runs.
    submit(&house, "j", "g", 2);
    let leave = json!({"manual": {"targetNodeCount": 0, "nodeDeallocationOption": "waitforjobcompletion"}});
    house
        .patch("~/clusters/g", json!({"properties": {"scaleSettings": leave}}))
        .expect(200);
    house.full_pump();
    assert_eq!(shown(&house, "g")["nodeStateCounts"]["leavingNodeCount"], 2);
    assert_eq!(shown(&house, "h")["currentNodeCount"], 1);
    house.engine.end("j", &Verdict::Exited(0));
    house.pump();
    house.full_pump();
    assert_eq!(shown(&house, "g")["currentNodeCount"], 0);
    assert_eq!(shown(&house, "h")["currentNodeCount"], 2);
    assert_eq!(given(&house).last().unwrap(), &["GPU-a"]);
}

#[test]
fn a_server_that_starts_again_knows_what_is_given() {
    let house = house(&["GPU-a", "GPU-b"], false);
    gpu_cluster(&house, "g", 1);
    submit(&house, "j", "g", 1);
    assert_eq!(told(&house, 1), ["1"]);
    house.engine.forget_runs();
    let house = house.restart();
    house.full_pump();
    assert_eq!(house.engine.state().launches.len(), 2, "told again");
    assert_eq!(told(&house, 1), ["1"]);
    gpu_cluster(&house, "h", 1);
    assert_eq!(given(&house), [["GPU-a"], ["GPU-b"]]);
}

#[test]
fn where_missing_gpus_are_ignored_nodes_get_some_or_none_and_jobs_are_told() {
    let house = house(&["GPU-a"], true);
    let all = gpu_cluster(&house, "g", 2);
    assert_eq!(all["currentNodeCount"], 2);
    assert!(all.get("errors").is_none());
    assert_eq!(given(&house), [vec!["GPU-a".to_owned()], Vec::new()]);
    submit(&house, "j", "g", 2);
    let mut numbers = told(&house, 2);
    numbers.sort();
    assert_eq!(numbers, ["0", "1"]);
}

#[test]
fn a_gpu_that_is_gone_stays_with_its_node_and_is_given_to_no_other() {
    let house = house(&["GPU-a", "GPU-b"], false);
    gpu_cluster(&house, "g", 1);
    offer(&house, &["GPU-b"]);
    gpu_cluster(&house, "h", 2);
    assert_eq!(given(&house), [["GPU-a"], ["GPU-b"]]);
    assert_eq!(
        shown(&house, "g")["currentNodeCount"],
        1,
        "its node is left alone"
    );
    // It comes back, and is the first node's still.
    offer(&house, &["GPU-a", "GPU-b"]);
    house.full_pump();
    assert_eq!(shown(&house, "h")["currentNodeCount"], 1);
    house.delete("~/clusters/g").expect(202);
    house.pump();
    house.full_pump();
    assert_eq!(given(&house), [["GPU-a"], ["GPU-b"], ["GPU-a"]]);
}

#[test]
fn tensorflow_has_at_most_a_worker_for_each_gpu_of_its_nodes() {
    let house = house(&[], false);
    gpu_cluster(&house, "g", 0);
    let put = |name: &str, cluster: &str, workers: u32| {
        let mut wish = job("true");
        let properties = wish["properties"].as_object_mut().unwrap();
        properties.remove("customToolkitSettings");
        properties["cluster"]["id"] = json!(cluster_id(cluster));
        properties["nodeCount"] = json!(2);
        properties.insert(
            "tensorFlowSettings".to_owned(),
            json!({"pythonScriptFilePath": "t.py", "workerCount": workers, "parameterServerCount": 1}),
        );
        house.put(&job_path(name), wish)
    };
    put("two", "g", 2).expect(200);
    let error = put("three", "g", 3).error(400, "BadRequest");
    assert_eq!(error["target"], "properties.tensorFlowSettings.workerCount");
    assert!(
        error["message"].as_str().unwrap().contains("2 x 1 = 2"),
        "{error}"
    );
    put("many", "c", 9).expect(200);
}
