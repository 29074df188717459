//! Nodes that are taken away although their cluster wants them.

use axum::http::Method;
use serde_json::{Value, json};
use trainyard_domain::state::Verdict;
use trainyard_server::Settings;
use trainyard_store::db::InlineHandle;

use crate::answer::Answer;
use crate::events;
use crate::house::{ADMIN, House, cluster, full, job, job_path, settings};

/// A house whose cluster `low` has low-priority nodes, beside the dedicated cluster `c`.
fn house(settings: Settings, nodes: u32) -> House {
    let house = House::with(settings, InlineHandle::memory().unwrap()).furnish(1);
    house.put("~/clusters/low", low(nodes)).expect(200);
    house.pump();
    house
}

fn low(nodes: u32) -> Value {
    let mut body = cluster(nodes);
    body["properties"]["vmPriority"] = json!("lowpriority");
    body
}

fn nodes_of(house: &House, cluster: &str) -> Vec<String> {
    let path = format!("~/clusters/{cluster}/listRemoteLoginInformation");
    let logins = house.post(&path).expect(200).json();
    let names = logins["value"].as_array().unwrap().iter();
    names
        .map(|login| login["nodeId"].as_str().unwrap().to_owned())
        .collect()
}

fn preempt(house: &House, node: &str) -> Answer {
    house.send(
        Method::POST,
        &format!("/trainyard/nodes/{node}/preempt"),
        &[],
        Value::Null,
    )
}

fn start(house: &House, name: &str, nodes: u32) {
    let mut wish = job("true");
    wish["properties"]["cluster"]["id"] = json!(crate::house::cluster_id("low"));
    wish["properties"]["nodeCount"] = json!(nodes);
    house.put(&job_path(name), wish).expect(200);
    house.seconds(2);
    house.pump();
    assert_eq!(house.state_of(name), "running");
}

fn counts(house: &House) -> Value {
    house.get("~/clusters/low").expect(200).json()["properties"]["nodeStateCounts"].clone()
}

fn scale(house: &House, nodes: u32, option: &str) {
    let manual = json!({"targetNodeCount": nodes, "nodeDeallocationOption": option});
    let body = json!({"properties": {"scaleSettings": {"manual": manual}}});
    house.patch("~/clusters/low", body).expect(200);
    house.pump();
}

/// Events of the audit trail with this action: their details.
fn details(house: &House, action: &str) -> Vec<String> {
    let all = events::all(house)
        .into_iter()
        .filter(|event| event.action == action);
    all.map(|event| event.detail.unwrap_or_default()).collect()
}

#[test]
fn the_job_of_a_pre_empted_node_is_stopped_on_all_its_nodes_and_runs_again() {
    let house = house(
        Settings {
            max_node_losses: 0,
            ..settings()
        },
        2,
    );
    house.engine.state().stubborn = true;
    start(&house, "gang", 2);
    let old = nodes_of(&house, "low");
    let answer = preempt(&house, &old[0]).expect(200).json();
    assert_eq!(answer["nodeId"], old[0].as_str());
    let ids: Vec<_> = ["cluster", "job"]
        .iter()
        .map(|kind| answer[kind]["id"].as_str().unwrap())
        .collect();
    assert!(
        ids[0].ends_with("/clusters/low") && ids[1].ends_with("/jobs/gang"),
        "{answer}"
    );
    assert_eq!(
        (
            &counts(&house)["leavingNodeCount"],
            &counts(&house)["runningNodeCount"]
        ),
        (&json!(1), &json!(1)),
        "it leaves from the answer on"
    );
    house.pump();
    // The job still runs: it has its grace. A new node is there for it already.
    assert_eq!(house.state_of("gang"), "running");
    assert_eq!(nodes_of(&house, "low").len(), 3);
    assert_eq!(house.engine.launched(), ["gang"], "two attempts at once");
    house.engine.state().stubborn = false;
    house.engine.end("gang", &Verdict::Stopped);
    house.pump();
    assert_eq!(house.state_of("gang"), "running");
    assert_eq!(house.engine.launched(), ["gang", "gang"]);
    let new = nodes_of(&house, "low");
    assert_eq!(
        (new.len(), new.contains(&old[0]), new.contains(&old[1])),
        (2, false, true)
    );
    assert_eq!(
        details(&house, "Trainyard/jobs/queued"),
        ["The job is back in the line: a node of it was pre-empted."]
    );
    // No loss, however often it comes, although none is allowed here.
    for _ in 0..5 {
        preempt(&house, &nodes_of(&house, "low")[0]).expect(200);
        house.pump();
        assert_eq!(house.state_of("gang"), "running");
    }
    assert_eq!(house.engine.launched().len(), 7);
    house.engine.end("gang", &Verdict::Exited(0));
    house.pump();
    assert_eq!(house.state_of("gang"), "succeeded");
}

#[test]
fn a_pre_empted_job_keeps_its_place_in_the_line_and_says_why_it_is_there() {
    let house = house(settings(), 1);
    start(&house, "first", 1);
    let mut behind = job("true");
    behind["properties"]["cluster"]["id"] = json!(crate::house::cluster_id("low"));
    house.put(&job_path("behind"), behind).expect(200);
    // The machine has no other node to give.
    house.engine.state().capacity.max_nodes = 1;
    preempt(&house, &nodes_of(&house, "low")[0]).expect(200);
    house.pump();
    assert_eq!(house.state_of("first"), "queued");
    let reason = house.reason_of("first").unwrap();
    assert_eq!(
        reason,
        "The job is back in the line: a node of it was pre-empted. The job needs 1 node, and none is idle."
    );
    house.engine.state().capacity.max_nodes = 2;
    house.full_pump();
    assert_eq!(
        (
            house.state_of("first").as_str(),
            house.state_of("behind").as_str()
        ),
        ("running", "queued")
    );
    assert_eq!(house.reason_of("first"), None);
}

#[test]
fn a_node_without_a_job_leaves_at_once() {
    let house = house(settings(), 1);
    let idle = nodes_of(&house, "low").remove(0);
    let answer = preempt(&house, &idle).expect(200).json();
    assert!(answer.get("job").is_none(), "{answer}");
    house.engine.state().slow_nodes = true;
    house.pump();
    let preparing = nodes_of(&house, "low").remove(0);
    assert_ne!(preparing, idle);
    assert_eq!(counts(&house)["preparingNodeCount"], 1);
    preempt(&house, &preparing).expect(200);
    house.pump();
    house.engine.fail_setup();
    house.pump();
    let unusable = nodes_of(&house, "low").remove(0);
    assert_ne!(unusable, preparing);
    assert_eq!(counts(&house)["unusableNodeCount"], 1);
    house.engine.state().slow_nodes = false;
    preempt(&house, &unusable).expect(200);
    house.pump();
    assert_eq!(nodes_of(&house, "low").len(), 1);
    assert_eq!(counts(&house)["idleNodeCount"], 1);
}

#[test]
fn only_nodes_of_low_priority_clusters_can_be_pre_empted() {
    let house = house(settings(), 1);
    let dedicated = nodes_of(&house, "c").remove(0);
    let error = preempt(&house, &dedicated).error(409, "NodeNotPreemptible");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains(&dedicated) && message.contains("lowpriority"),
        "{message}"
    );
    let error = preempt(&house, "tvm-1_1-20180606t204645z-p").error(404, "NodeNotFound");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("tvm-1_1-20180606t204645z-p")
    );
    house.pump();
    assert_eq!(nodes_of(&house, "c"), [dedicated]);
}

#[test]
fn pre_empting_needs_the_right_to_change_the_cluster() {
    let house = house(settings(), 1);
    house.put("~2", json!({"location": "eastus"})).expect(200);
    let node = nodes_of(&house, "low").remove(0);
    let workspace = |n: &str| full(&format!("~{n}")).split('?').next().unwrap().to_owned();
    let token = |role: &str, scope: String| {
        let body = json!({"name": "t", "role": role, "scope": scope});
        let made = house
            .send(Method::POST, "/trainyard/tokens", &[], body)
            .expect(201)
            .json();
        made["token"].as_str().unwrap().to_owned()
    };
    let refused = [token("Reader", workspace("")), token("Owner", workspace("2"))];
    let allowed = token("Contributor", workspace(""));
    for token in refused {
        house.token.replace(token);
        preempt(&house, &node).error(403, "AuthorizationFailed");
    }
    house.token.replace(allowed);
    preempt(&house, &node).expect(200);
    house.token.replace(ADMIN.to_owned());
    assert_eq!(details(&house, "Trainyard/nodes/preempt/action"), [node]);
}

#[test]
fn nodes_that_come_within_one_millisecond_have_names_of_their_own() {
    let house = house(settings(), 3);
    house.engine.state().stubborn = true;
    start(&house, "gang", 3);
    let old = nodes_of(&house, "low");
    for node in &old {
        preempt(&house, node).expect(200);
        house.pump();
    }
    let names: std::collections::BTreeSet<String> = nodes_of(&house, "low").into_iter().collect();
    assert_eq!(names.len(), 6, "{names:?}");
}

#[test]
fn pre_empting_again_changes_nothing() {
    let house = house(settings(), 1);
    house.engine.state().stubborn = true;
    start(&house, "j", 1);
    let node = nodes_of(&house, "low").remove(0);
    let first = preempt(&house, &node).expect(200).json();
    house.pump();
    assert_eq!(preempt(&house, &node).expect(200).json(), first);
    house.pump();
    assert_eq!(
        details(&house, "Trainyard/nodes/preempt/action"),
        std::slice::from_ref(&node)
    );
    house.engine.end("j", &Verdict::Stopped);
    house.pump();
    preempt(&house, &node).error(404, "NodeNotFound");
}

#[test]
fn a_pre_empted_job_comes_back_whatever_the_scale_settings_say() {
    for option in ["requeue", "terminate", "waitforjobcompletion"] {
        let house = house(settings(), 1);
        scale(&house, 1, option);
        start(&house, "j", 1);
        preempt(&house, &nodes_of(&house, "low")[0]).expect(200);
        house.pump();
        assert_eq!(house.state_of("j"), "running", "{option}");
        assert_eq!(house.engine.launched(), ["j", "j"], "{option}");
    }
}

#[test]
fn a_node_that_waits_for_its_job_waits_no_longer_when_it_is_pre_empted() {
    let house = house(settings(), 1);
    start(&house, "j", 1);
    scale(&house, 0, "waitforjobcompletion");
    assert_eq!(house.state_of("j"), "running");
    preempt(&house, &nodes_of(&house, "low")[0]).expect(200);
    house.pump();
    assert_eq!(house.state_of("j"), "queued");
    assert_eq!(nodes_of(&house, "low"), Vec::<String>::new());
}

#[test]
fn a_pre_empted_job_can_be_terminated_and_deleted_during_its_grace() {
    for delete in [false, true] {
        let house = house(settings(), 1);
        house.engine.state().stubborn = true;
        start(&house, "j", 1);
        preempt(&house, &nodes_of(&house, "low")[0]).expect(200);
        house.pump();
        if delete {
            house.delete(&job_path("j")).expect(202);
        } else {
            house.post(&format!("{}/terminate", job_path("j"))).expect(202);
        }
        house.engine.end("j", &Verdict::Stopped);
        house.pump();
        if delete {
            house.get(&job_path("j")).expect(404);
        } else {
            assert_eq!(
                house.job("j")["executionInfo"]["errors"][0]["code"],
                "JobTerminated"
            );
        }
        assert_eq!(counts(&house)["idleNodeCount"], 1);
    }
}

#[test]
fn a_pre_emption_survives_the_end_of_the_server() {
    let house = house(settings(), 1);
    start(&house, "j", 1);
    let node = nodes_of(&house, "low").remove(0);
    preempt(&house, &node).expect(200);
    // Nothing of it was told to the engine.
    let house = house.restart();
    house.pump();
    assert_eq!(house.state_of("j"), "running");
    assert_eq!(house.engine.launched(), ["j", "j"]);
    assert!(!nodes_of(&house, "low").contains(&node));
}
