//! Every change leaves an event with time, caller, target and request.

use serde_json::{Value, json};
use trainyard_store::{Event, StoreError};

use crate::house::{House, SUBSCRIPTION, cluster, job, job_path};

/// All events so far.
pub fn all(house: &House) -> Vec<Event> {
    let read = house
        .ports
        .store
        .read(|s| -> Result<_, StoreError> { s.events(0, 10_000) });
    read.unwrap().into_iter().map(|(_, event)| event).collect()
}

#[test]
fn each_change_is_one_event_and_a_read_or_refusal_is_none() {
    let house = House::furnished(0);
    let rg = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg");
    let ws = format!("{rg}/providers/Microsoft.BatchAI/workspaces/ws");
    let job_id = format!("{ws}/experiments/e/jobs/j");
    let scale = json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 1}}}});
    type Change<'a> = (
        &'a str,
        Box<dyn Fn() -> crate::house::Answer + 'a>,
        &'a str,
        String,
    );
    let changes: Vec<Change<'_>> = vec![
        (
            "group",
            Box::new(|| house.put(&format!("{rg}2"), json!({"location": "eastus"}))),
            "Microsoft.Resources/subscriptions/resourceGroups/write",
            format!("{rg}2"),
        ),
        (
            "tags",
            Box::new(|| house.patch("~", json!({"tags": {"a": "b"}}))),
            "Microsoft.BatchAI/workspaces/write",
            ws.clone(),
        ),
        (
            "experiment",
            Box::new(|| house.put("~/experiments/x", Value::Null)),
            "Microsoft.BatchAI/workspaces/experiments/write",
            format!("{ws}/experiments/x"),
        ),
        (
            "cluster",
            Box::new(|| house.put("~/clusters/d", cluster(0))),
            "Microsoft.BatchAI/workspaces/clusters/write",
            format!("{ws}/clusters/d"),
        ),
        (
            "scale",
            Box::new(|| house.patch("~/clusters/d", scale.clone())),
            "Microsoft.BatchAI/workspaces/clusters/write",
            format!("{ws}/clusters/d"),
        ),
        (
            "job",
            Box::new(|| house.put(&job_path("j"), job("true"))),
            "Microsoft.BatchAI/workspaces/experiments/jobs/write",
            job_id.clone(),
        ),
        (
            "job gone",
            Box::new(|| house.delete(&job_path("j"))),
            "Microsoft.BatchAI/workspaces/experiments/jobs/delete",
            job_id.clone(),
        ),
        (
            "cluster gone",
            Box::new(|| house.delete("~/clusters/d")),
            "Microsoft.BatchAI/workspaces/clusters/delete",
            format!("{ws}/clusters/d"),
        ),
        (
            "group gone",
            Box::new(|| house.delete(&format!("{rg}2"))),
            "Microsoft.Resources/subscriptions/resourceGroups/delete",
            format!("{rg}2"),
        ),
    ];
    for (what, change, action, target) in changes {
        let before = all(&house).len();
        house.seconds(1);
        let answer = change();
        assert!(answer.status < 300, "{what}: {}", answer.text());
        let events = all(&house);
        assert_eq!(events.len(), before + 1, "{what}: {events:?}");
        let event = events.last().unwrap();
        assert_eq!(
            (event.caller.as_str(), event.action.as_str(), &event.target),
            ("admin", action, &target),
            "{what}"
        );
        assert_eq!(
            event.request.as_deref(),
            Some(answer.header("x-ms-request-id")),
            "{what}"
        );
        let now = trainyard_server::Clock::now(&*house.clock);
        assert_eq!(event.time, now, "{what}");
    }
    let before = all(&house).len();
    house.get("~").expect(200);
    house.put("~/clusters/c", cluster(5)).expect(409);
    house.put("~/clusters/bad.name", cluster(5)).expect(400);
    house.delete("~/clusters/none").expect(204);
    assert_eq!(all(&house).len(), before);
}

#[test]
fn what_the_service_does_itself_is_written_down_too() {
    let house = House::furnished(1);
    house.submit("j");
    house.pump();
    house
        .engine
        .end("j", &trainyard_domain::state::Verdict::Exited(3));
    house.pump();
    let own: Vec<_> = all(&house)
        .into_iter()
        .filter(|e| e.caller == "trainyard")
        .map(|e| (e.action, e.detail))
        .collect();
    let wanted = [
        ("Trainyard/jobs/running", None),
        ("Trainyard/jobs/failed", Some("JobFailed")),
    ];
    assert_eq!(own, wanted.map(|(a, d)| (a.to_owned(), d.map(str::to_owned))));
}
