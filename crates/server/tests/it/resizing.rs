//! Clusters that are resized again before the last resize is through.

use serde_json::{Value, json};
use trainyard_domain::state::Verdict;
use trainyard_server::Settings;
use trainyard_store::db::InlineHandle;

use crate::house::{House, autoscaled, cluster, cluster_id, job, job_path, settings};

fn scale(house: &House, name: &str, settings: Value) {
    let body = json!({"properties": {"scaleSettings": settings}});
    house.patch(&format!("~/clusters/{name}"), body).expect(200);
    house.pump();
}

fn manual(nodes: u32, option: &str) -> Value {
    json!({"manual": {"targetNodeCount": nodes, "nodeDeallocationOption": option}})
}

fn automatic(least: u32, most: u32) -> Value {
    json!({"autoScale": {"minimumNodeCount": least, "maximumNodeCount": most}})
}

/// Idle, running, preparing, unusable and leaving nodes.
fn nodes(house: &House, name: &str) -> [u64; 5] {
    let counts = house.get(&format!("~/clusters/{name}")).expect(200).json();
    ["idle", "running", "preparing", "unusable", "leaving"].map(|state| {
        counts["properties"]["nodeStateCounts"][format!("{state}NodeCount")]
            .as_u64()
            .unwrap()
    })
}

fn submit(house: &House, cluster: &str, name: &str, nodes: u32) {
    let mut wish = job("true");
    wish["properties"]["cluster"]["id"] = json!(cluster_id(cluster));
    wish["properties"]["nodeCount"] = json!(nodes);
    house.put(&job_path(name), wish).expect(200);
    house.seconds(2);
    house.pump();
}

#[test]
fn nodes_in_preparation_leave_at_once_and_come_back_as_others() {
    let house = House::furnished(0);
    house.engine.state().slow_nodes = true;
    house.put("~/clusters/d", cluster(3)).expect(200);
    house.pump();
    assert_eq!(nodes(&house, "d"), [0, 0, 3, 0, 0]);
    scale(&house, "d", manual(1, "requeue"));
    assert_eq!(nodes(&house, "d"), [0, 0, 1, 0, 0]);
    scale(&house, "d", manual(0, "requeue"));
    assert_eq!((nodes(&house, "d"), house.engine.node_count()), ([0; 5], 0));
    assert_eq!(
        house.get("~/clusters/d").json()["properties"]["allocationState"],
        "steady"
    );
    // A preparation that was through just then is nobody's.
    house.engine.ready();
    scale(&house, "d", manual(2, "requeue"));
    house.engine.ready();
    house.pump();
    assert_eq!(nodes(&house, "d"), [2, 0, 0, 0, 0]);
}

#[test]
fn a_resize_while_nodes_leave_gets_new_nodes_and_the_leaving_ones_still_go() {
    let house = House::furnished(2);
    house.engine.state().stubborn = true;
    submit(&house, "c", "a", 1);
    submit(&house, "c", "b", 1);
    scale(&house, "c", manual(0, "requeue"));
    assert_eq!(nodes(&house, "c"), [0, 0, 0, 0, 2]);
    scale(&house, "c", manual(3, "requeue"));
    // The jobs are being stopped; nodes for them are there before their old ones are gone.
    assert_eq!(nodes(&house, "c"), [3, 0, 0, 0, 2]);
    assert_eq!(house.cluster()["allocationState"], "resizing");
    assert_eq!(house.engine.launched(), ["a", "b"]);
    house.engine.end("a", &Verdict::Stopped);
    house.pump();
    assert_eq!(nodes(&house, "c"), [2, 1, 0, 0, 1]);
    house.engine.end("b", &Verdict::Stopped);
    house.pump();
    assert_eq!(nodes(&house, "c"), [1, 2, 0, 0, 0]);
    assert_eq!(house.cluster()["allocationState"], "steady");
    assert_eq!(house.engine.launched(), ["a", "b", "a", "b"]);
}

#[test]
fn who_waited_for_jobs_can_be_told_not_to() {
    for (option, state) in [("requeue", "queued"), ("terminate", "failed")] {
        let house = House::furnished(1);
        submit(&house, "c", "j", 1);
        scale(&house, "c", manual(0, "waitforjobcompletion"));
        assert_eq!(
            (house.state_of("j").as_str(), nodes(&house, "c")),
            ("running", [0, 0, 0, 0, 1])
        );
        scale(&house, "c", manual(0, option));
        assert_eq!(
            (house.state_of("j").as_str(), nodes(&house, "c")),
            (state, [0; 5])
        );
    }
}

#[test]
fn who_was_told_to_stop_is_not_waited_for() {
    let house = House::furnished(1);
    house.engine.state().stubborn = true;
    submit(&house, "c", "j", 1);
    scale(&house, "c", manual(0, "requeue"));
    scale(&house, "c", manual(0, "waitforjobcompletion"));
    house.engine.end("j", &Verdict::Stopped);
    house.pump();
    assert_eq!(
        (house.state_of("j").as_str(), nodes(&house, "c")),
        ("queued", [0; 5])
    );
}

#[test]
fn a_cluster_goes_to_auto_scale_while_its_nodes_leave_and_back() {
    let house = House::furnished(2);
    house.engine.state().stubborn = true;
    submit(&house, "c", "a", 2);
    scale(&house, "c", manual(1, "requeue"));
    assert_eq!(nodes(&house, "c"), [0, 1, 0, 0, 1]);
    scale(&house, "c", automatic(0, 4));
    house.engine.end("a", &Verdict::Stopped);
    house.pump();
    assert_eq!(
        (house.state_of("a").as_str(), nodes(&house, "c")),
        ("running", [0, 2, 0, 0, 0])
    );
    scale(&house, "c", manual(1, "waitforjobcompletion"));
    assert_eq!(
        (house.state_of("a").as_str(), nodes(&house, "c")),
        ("running", [0, 1, 0, 0, 1])
    );
    house.engine.end("a", &Verdict::Exited(0));
    house.pump();
    assert_eq!(
        (house.state_of("a").as_str(), nodes(&house, "c")),
        ("succeeded", [1, 0, 0, 0, 0])
    );
}

#[test]
fn auto_scale_gets_round_unusable_nodes_and_clears_them_away() {
    let house = House::with(
        Settings {
            idle_seconds: 60,
            ..settings()
        },
        InlineHandle::memory().unwrap(),
    )
    .furnish(0);
    house.engine.state().slow_nodes = true;
    house.put("~/clusters/auto", autoscaled(0, 3)).expect(200);
    submit(&house, "auto", "j", 2);
    assert_eq!(nodes(&house, "auto"), [0, 0, 2, 0, 0]);
    house.engine.fail_setup();
    house.pump();
    // One more node is all there can be: not enough, and that is told.
    assert_eq!(nodes(&house, "auto"), [0, 0, 0, 2, 0]);
    house.full_pump();
    let reason = house.reason_of("j").unwrap();
    assert!(reason.contains("unusable"), "{reason}");
    submit(&house, "auto", "small", 1);
    assert_eq!(nodes(&house, "auto"), [0, 0, 1, 2, 0]);
    house.engine.ready();
    // The failed ones are reported again; that changes nothing.
    house.pump();
    assert_eq!(
        (house.state_of("small").as_str(), nodes(&house, "auto")),
        ("running", [0, 1, 0, 2, 0])
    );
    house.engine.end("small", &Verdict::Exited(0));
    house.pump();
    // The cure without anybody's hand: once nothing runs that fits, unusable nodes are due as idle ones are.
    for _ in 0..4 {
        house.seconds(60);
        house.pump();
    }
    assert_eq!(
        (house.state_of("j").as_str(), nodes(&house, "auto")),
        ("queued", [0, 0, 2, 0, 0])
    );
    house.engine.ready();
    house.pump();
    assert_eq!(house.state_of("j"), "running");
}

#[test]
fn the_cure_for_unusable_nodes_is_to_zero_and_back() {
    let house = House::furnished(0);
    house.engine.state().slow_nodes = true;
    house.put("~/clusters/d", cluster(2)).expect(200);
    house.pump();
    house.engine.fail_setup();
    house.pump();
    let shown = house.get("~/clusters/d").json()["properties"].clone();
    assert_eq!(shown["errors"].as_array().unwrap().len(), 2);
    // One less is not the cure for both.
    scale(&house, "d", manual(1, "requeue"));
    assert_eq!(nodes(&house, "d"), [0, 0, 0, 1, 0]);
    scale(&house, "d", manual(0, "requeue"));
    assert!(
        house.get("~/clusters/d").json()["properties"]
            .get("errors")
            .is_none()
    );
    house.engine.state().slow_nodes = false;
    scale(&house, "d", manual(2, "requeue"));
    assert_eq!(nodes(&house, "d"), [2, 0, 0, 0, 0]);
}

#[test]
fn where_counters_go_is_kept_and_returned_without_the_key() {
    let house = House::furnished(0);
    let component = json!({"id": format!("{}/components/c", cluster_id("x"))});
    let mut body = cluster(0);
    body["properties"]["nodeSetup"]["performanceCountersSettings"] = json!({"appInsightsReference": {
        "component": component, "instrumentationKey": format!("{}-key", crate::house::SECRET)
    }});
    let want = json!({"appInsightsReference": {"component": component}});
    let made = house.put("~/clusters/d", body.clone()).expect(200).json();
    assert_eq!(
        made["properties"]["nodeSetup"]["performanceCountersSettings"],
        want
    );
    scale(&house, "d", manual(1, "requeue"));
    let house = house.restart();
    let kept = house.get("~/clusters/d").expect(200).json();
    assert_eq!(
        kept["properties"]["nodeSetup"]["performanceCountersSettings"],
        want
    );
    // The same wish is the same cluster; another key is another wish.
    body["properties"]["scaleSettings"] =
        json!({"manual": {"targetNodeCount": 1, "nodeDeallocationOption": "requeue"}});
    house.put("~/clusters/d", body.clone()).expect(200);
    body["properties"]["nodeSetup"]["performanceCountersSettings"]["appInsightsReference"]["instrumentationKey"] =
        json!("another");
    house.put("~/clusters/d", body).error(409, "ClusterAlreadyExists");
}
