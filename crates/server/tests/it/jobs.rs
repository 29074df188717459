//! The way of a job through the reconcilers, with an engine that does as the test says.

use axum::http::Method;
use serde_json::{Value, json};
use trainyard_domain::state::{BatchAiError, Verdict};
use trainyard_server::Settings;
use trainyard_store::db::InlineHandle;

use crate::house::{House, autoscaled, cluster, cluster_id, job, job_path, settings};

fn started(house: &House, name: &str) {
    house.submit(name);
    house.pump();
    assert_eq!(house.state_of(name), "running");
}

/// A job of more nodes or another priority.
fn submit(house: &House, name: &str, nodes: u32, priority: &str) {
    let mut wish = job("true");
    wish["properties"]["nodeCount"] = json!(nodes);
    wish["properties"]["schedulingPriority"] = json!(priority);
    house.put(&job_path(name), wish).expect(200);
    house.pass(jiff::SignedDuration::from_millis(1));
}

fn resize(house: &House, nodes: u32, option: &str) {
    let manual = json!({"targetNodeCount": nodes, "nodeDeallocationOption": option});
    house
        .patch(
            "~/clusters/c",
            json!({"properties": {"scaleSettings": {"manual": manual}}}),
        )
        .expect(200);
    house.pump();
}

#[test]
fn a_job_goes_from_queued_to_succeeded() {
    let house = House::furnished(1);
    house.submit("j");
    let queued = house.job("j");
    assert_eq!(queued["executionState"], "queued");
    assert_eq!(queued["executionStateTransitionTime"], queued["creationTime"]);
    assert!(queued.get("executionInfo").is_none());
    house.seconds(2);
    house.pump();
    let running = house.job("j");
    assert_eq!(running["executionState"], "running");
    assert_eq!(
        running["executionInfo"],
        json!({"startTime": running["executionStateTransitionTime"]})
    );
    assert_eq!(house.cluster()["nodeStateCounts"]["runningNodeCount"], 1);
    let login = house
        .post(&format!("{}/listRemoteLoginInformation", job_path("j")))
        .expect(200)
        .json();
    assert_eq!(login["value"].as_array().unwrap().len(), 1);
    assert!(login["value"][0]["port"].is_number());
    assert_eq!(
        login,
        house
            .post("~/clusters/c/listRemoteLoginInformation")
            .expect(200)
            .json()
    );
    house.seconds(3);
    house.engine.end("j", &Verdict::Exited(0));
    house.pump();
    let done = house.job("j");
    assert_eq!(done["executionState"], "succeeded");
    let info = &done["executionInfo"];
    assert_eq!(
        (&info["exitCode"], &info["endTime"]),
        (&json!(0), &done["executionStateTransitionTime"])
    );
    assert_eq!(info["startTime"], running["executionInfo"]["startTime"]);
    assert!(info.get("errors").is_none());
    assert_eq!(house.cluster()["nodeStateCounts"]["idleNodeCount"], 1);
    // Nothing of it starts again, and the engine need not remember it.
    house.full_pump();
    assert_eq!(house.engine.remembered(), 0);
    assert_eq!(house.engine.launched(), ["j"]);
}

#[test]
fn failures_carry_the_recorded_codes() {
    let house = House::furnished(1);
    for (name, verdict, code, message, exit) in [
        (
            "f",
            Verdict::Exited(3),
            "JobFailed",
            "Job failed with non-zero exit code",
            Some(3),
        ),
        (
            "p",
            Verdict::PreparationFailed(7),
            "JobPreparationFailed",
            "Job preparation task failed with non-zero exit code",
            Some(7),
        ),
        ("t", Verdict::TimedOut, "JobMaxWallClockTimeExceeded", "", None),
        (
            "n",
            Verdict::NotStarted(
                BatchAiError::new("AZFMountError", "Unable to mount Azure File"),
                Some(-1),
            ),
            "AZFMountError",
            "Unable to mount Azure File",
            Some(-1),
        ),
    ] {
        started(&house, name);
        house.engine.end(name, &verdict);
        house.pump();
        let shown = house.job(name);
        assert_eq!(shown["executionState"], "failed", "{name}");
        let info = &shown["executionInfo"];
        assert_eq!(info["errors"][0]["code"], code);
        assert!(
            info["errors"][0]["message"]
                .as_str()
                .unwrap()
                .starts_with(message),
            "{info}"
        );
        assert_eq!(info.get("exitCode").and_then(Value::as_i64), exit, "{name}");
        assert!(info["errors"][0].get("details").is_none());
    }
}

#[test]
fn a_lost_node_sends_the_job_back_three_times() {
    let house = House::furnished(1);
    started(&house, "j");
    house.submit("behind");
    for loss in 1..=3 {
        let before = house.job("j")["executionInfo"]["startTime"].clone();
        house.seconds(1);
        house.engine.lose_nodes_of("j");
        house.pump();
        // A new node came, and the job, first in the line again, has it.
        assert_eq!(house.state_of("j"), "running", "after loss {loss}");
        assert_eq!(house.state_of("behind"), "queued");
        assert_ne!(house.job("j")["executionInfo"]["startTime"], before);
    }
    house.engine.lose_nodes_of("j");
    house.pump();
    let shown = house.job("j");
    assert_eq!(
        (
            shown["executionState"].as_str(),
            shown["executionInfo"]["errors"][0]["code"].as_str()
        ),
        (Some("failed"), Some("NodeLost"))
    );
    assert_eq!(house.state_of("behind"), "running");
    assert_eq!(house.engine.launched(), ["j", "j", "j", "j", "behind"]);
}

#[test]
fn a_clusters_jobs_end_with_it() {
    let house = House::furnished(1);
    started(&house, "runs");
    house.submit("waits");
    house.submit("ended");
    house
        .post(&format!("{}/terminate", job_path("ended")))
        .expect(200);
    let ended = house.job("ended");
    house.seconds(1);
    house.delete("~/clusters/c").expect(202);
    house.pump();
    house.get("~/clusters/c").error(404, "ClusterNotFound");
    assert_eq!(house.engine.node_count(), 0);
    for name in ["runs", "waits"] {
        let shown = house.job(name);
        assert_eq!(
            (
                shown["executionState"].as_str(),
                shown["executionInfo"]["errors"][0]["code"].as_str()
            ),
            (Some("failed"), Some("JobTerminated")),
            "{name}"
        );
        assert!(shown["executionInfo"].get("exitCode").is_none());
    }
    assert_eq!(house.job("ended"), ended);
    // A new cluster of that name gets none of them, and each can still be put again and deleted.
    house.put("~/clusters/c", cluster(2)).expect(200);
    house.pump();
    assert_eq!(house.engine.launched(), ["runs"]);
    house.put(&job_path("runs"), job("true")).expect(200);
    house.delete(&job_path("runs")).expect(200);
}

#[test]
fn what_is_not_built_yet_fails_by_name() {
    let house = House::furnished(1);
    let with = |pointer: &str, value: Value| {
        let mut wish = job("true");
        wish["properties"][pointer] = value;
        wish
    };
    let vault = json!({"sourceVault": {"id": "/a/b"}, "secretUrl": "https://v.vault.azure.net/secrets/s"});
    let wish = with("secrets", json!([{"name": "S", "valueSecretReference": vault}]));
    house.put(&job_path("vault"), wish).expect(200);
    house.pump();
    let shown = house.job("vault");
    assert_eq!(shown["executionState"], "failed");
    let error = &shown["executionInfo"]["errors"][0];
    assert_eq!(error["code"], "NotAvailable");
    let member = "properties.secrets[0].valueSecretReference";
    assert_eq!(error["details"], json!([{"name": "member", "value": member}]));
    assert!(house.engine.launched().is_empty());
    let mut wish = cluster(1);
    wish["properties"]["nodeSetup"]["setupTask"] = json!({
        "commandLine": "true",
        "stdOutErrPathPrefix": "/tmp",
        "secrets": [{"name": "S", "valueSecretReference": vault}],
    });
    house.put("~/clusters/vault", wish).expect(200);
    house.pump();
    let shown = house.get("~/clusters/vault").json()["properties"].clone();
    assert_eq!(
        (&shown["errors"][0]["code"], &shown["currentNodeCount"]),
        (&json!("NotAvailable"), &json!(0))
    );
    assert_eq!(
        shown["errors"][0]["details"][0]["value"],
        "properties.nodeSetup.setupTask.secrets[0].valueSecretReference"
    );
}

#[test]
fn every_waiting_job_has_a_reason() {
    let house = House::furnished(2);
    started(&house, "runs");
    submit(&house, "large", 2, "normal");
    submit(&house, "small", 1, "normal");
    submit(&house, "giant", 3, "normal");
    house.seconds(2);
    house.full_pump();
    for (name, part) in [
        ("large", "needs 2 nodes, and 1 is idle"),
        ("small", "behind job large"),
        ("giant", "at most 2"),
    ] {
        let reason = house
            .reason_of(name)
            .unwrap_or_else(|| panic!("{name} has no reason"));
        assert!(reason.contains(part), "{name}: {reason}");
    }
    assert_eq!(house.reason_of("runs"), None);
    house.engine.end("runs", &Verdict::Exited(0));
    house.pump();
    assert_eq!(house.state_of("large"), "running");
    assert_eq!(house.reason_of("large"), None);
}

#[test]
fn no_job_starts_when_the_disk_is_nearly_full() {
    let house = House::furnished(1);
    house.engine.state().capacity.free_bytes = (1 << 30) - 1;
    house.submit("j");
    house.seconds(2);
    house.pump();
    assert_eq!(house.state_of("j"), "queued");
    let reason = house.reason_of("j").unwrap();
    assert!(
        reason.contains("min_free is 1024 MiB") && reason.contains("1023 MiB free"),
        "{reason}"
    );
    house.engine.state().capacity.free_bytes = 1 << 30;
    house.full_pump();
    assert_eq!(house.state_of("j"), "running");
}

#[test]
fn priority_goes_before_age_and_a_large_job_is_not_starved() {
    let house = House::furnished(2);
    submit(&house, "first", 1, "normal");
    house.pump();
    submit(&house, "low", 1, "low");
    submit(&house, "large", 2, "normal");
    submit(&house, "small", 1, "normal");
    submit(&house, "high", 1, "high");
    house.pump();
    assert_eq!(house.engine.launched(), ["first", "high"]);
    for name in ["first", "high", "large", "small", "low"] {
        house.engine.end(name, &Verdict::Exited(0));
        house.pump();
    }
    assert_eq!(
        house.engine.launched(),
        ["first", "high", "large", "small", "low"]
    );
}

#[test]
fn the_three_deallocation_options() {
    for option in ["requeue", "terminate", "waitforjobcompletion"] {
        let house = House::furnished(1);
        started(&house, "j");
        resize(&house, 0, option);
        let shown = house.job("j");
        let cluster = house.cluster();
        match option {
            "requeue" => {
                assert_eq!(
                    (
                        shown["executionState"].as_str(),
                        cluster["currentNodeCount"].as_u64()
                    ),
                    (Some("queued"), Some(0))
                );
                resize(&house, 1, option);
                assert_eq!(house.state_of("j"), "running");
                assert_eq!(house.engine.launched(), ["j", "j"]);
            }
            "terminate" => {
                assert_eq!(shown["executionInfo"]["errors"][0]["code"], "JobTerminated");
                assert_eq!(cluster["currentNodeCount"], 0);
            }
            _ => {
                assert_eq!(shown["executionState"], "running");
                assert_eq!(cluster["allocationState"], "resizing");
                house.submit("next");
                house.pump();
                assert_eq!(house.state_of("next"), "queued");
                house.engine.end("j", &Verdict::Exited(0));
                house.pump();
                assert_eq!(
                    (house.state_of("j").as_str(), house.state_of("next").as_str()),
                    ("succeeded", "queued")
                );
                assert_eq!(house.cluster()["currentNodeCount"], 0);
            }
        }
        assert_eq!(house.cluster()["allocationState"], "steady", "{option}");
    }
}

#[test]
fn what_the_engine_never_heard_is_told_again_after_a_restart() {
    let house = House::furnished(1);
    started(&house, "j");
    let house = house.restart();
    house.pump();
    assert_eq!(house.engine.launched(), ["j"]);
    house.engine.end("j", &Verdict::Exited(0));
    let house = house.restart();
    house.pump();
    assert_eq!(house.state_of("j"), "succeeded");
}

#[test]
fn a_panic_over_one_job_keeps_no_other_from_the_engine() {
    let house = House::furnished(2);
    house.pump();
    house.engine.state().panics_at = Some("bad".to_owned());
    house.submit("bad");
    house.submit("good");
    house.pump();
    assert_eq!(house.engine.launched(), ["good"]);
    house.engine.state().panics_at = None;
    house.full_pump();
    assert_eq!(house.engine.launched(), ["good", "bad"]);
}

/// A restored store says that a job runs, and its node ended it and forgot it since.
#[test]
fn what_the_engine_has_forgotten_is_told_again() {
    let house = House::furnished(1);
    started(&house, "j");
    house.full_pump();
    house.full_pump();
    assert_eq!(house.engine.launched(), ["j"], "what is seen is not told again");
    house.engine.forget_runs();
    house.full_pump();
    assert_eq!(house.engine.launched(), ["j", "j"]);
    house.engine.end("j", &Verdict::Exited(0));
    house.pump();
    assert_eq!(house.state_of("j"), "succeeded");
}

#[test]
fn a_gang_has_all_its_nodes_and_one_of_them_fails_it() {
    let house = House::furnished(2);
    submit(&house, "gang", 2, "normal");
    house.pump();
    assert_eq!(house.state_of("gang"), "running");
    let plans = house.engine.state().launches.clone();
    assert_eq!(plans.len(), 2);
    assert_ne!(plans[0].0, plans[1].0);
    house.engine.end("gang", &Verdict::Exited(0));
    house.pump();
    assert_eq!(house.state_of("gang"), "succeeded");
    let logins = house
        .post(&format!("{}/listRemoteLoginInformation", job_path("gang")))
        .expect(200)
        .json();
    assert_eq!(logins["value"].as_array().unwrap().len(), 2);
}

#[test]
fn autoscale_brings_nodes_for_a_job_and_takes_them_after_the_idle_time() {
    let house = House::with(
        Settings {
            idle_seconds: 90,
            ..settings()
        },
        InlineHandle::memory().unwrap(),
    )
    .furnish(0);
    house.put("~/clusters/auto", autoscaled(0, 2)).expect(200);
    house.pump();
    let nodes = || house.get("~/clusters/auto").json()["properties"]["currentNodeCount"].clone();
    assert_eq!(nodes(), 0);
    let mut wish = job("true");
    wish["properties"]["cluster"]["id"] = json!(crate::house::cluster_id("auto"));
    wish["properties"]["nodeCount"] = json!(2);
    house.put(&job_path("j"), wish).expect(200);
    house.pump();
    assert_eq!((nodes(), house.state_of("j")), (json!(2), "running".to_owned()));
    house.seconds(1000);
    house.full_pump();
    assert_eq!(nodes(), 2);
    house.engine.end("j", &Verdict::Exited(0));
    house.pump();
    house.seconds(89);
    house.pump();
    assert_eq!(nodes(), 2);
    house.seconds(1);
    house.pump();
    assert_eq!(nodes(), 0);
    house
        .send(Method::GET, "~/clusters/auto", &[], Value::Null)
        .expect(200);
}

#[test]
fn a_job_of_many_ports_starts_although_rounds_about_others_come_between() {
    let house = House::furnished(1);
    house.engine.state().capacity.free_ports = (7000..7100).collect();
    house.put("~/clusters/other", cluster(0)).expect(200);
    house.pump();
    let mut wish = job("true");
    let properties = wish["properties"].as_object_mut().unwrap();
    properties.remove("customToolkitSettings");
    let settings = json!({"pythonScriptFilePath": "t.py", "workerCount": 20});
    properties.insert("tensorFlowSettings".to_owned(), settings);
    house.put(&job_path("many"), wish).expect(200);
    house.pump();
    // Too few ports were known: it is tried again in a moment. Until then the pump looks at another cluster.
    assert_eq!(house.state_of("many"), "queued");
    let mut elsewhere = job("true");
    elsewhere["properties"]["cluster"]["id"] = json!(cluster_id("other"));
    house.put(&job_path("elsewhere"), elsewhere).expect(200);
    house.pump();
    house.pass(jiff::SignedDuration::from_millis(100));
    house.pump();
    assert_eq!(house.state_of("many"), "running");
    assert_eq!(house.engine.state().launches[0].1.processes.len(), 21);
}
