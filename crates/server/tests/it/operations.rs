//! Long-running operations: deletions and terminations that take their time.

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use trainyard_domain::state::Verdict;

use crate::house::{Answer, House, SUBSCRIPTION, full, job, job_path, local, log};

/// A house with a running job whose processes do not end by themselves.
fn busy() -> House {
    let house = House::furnished(1);
    house.engine.state().stubborn = true;
    house.submit("j");
    house.pump();
    assert_eq!(house.state_of("j"), "running");
    house
}

/// Both URLs of a 202, as paths of this house.
fn urls(answer: &Answer) -> (String, String) {
    let path = |name: &str| {
        let link = answer.header(name);
        assert!(link.starts_with("http://yard.example:8080/"), "{link}");
        local(link).to_owned()
    };
    (path("azure-asyncoperation"), path("location"))
}

fn poll(house: &House, path: &str) -> Answer {
    house.raw(Method::GET, path, &[], vec![])
}

fn assert_running(house: &House, (result, status): &(String, String)) {
    let shown = poll(house, result).expect(200);
    assert_eq!(shown.json()["status"], "InProgress");
    assert_eq!(shown.header("retry-after"), "1");
    assert!(shown.json().get("endTime").is_none());
    let id = shown.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("http://") && !id.contains('?'), "{id}");
    assert!(id.ends_with(shown.json()["name"].as_str().unwrap()));
    assert_eq!(
        &urls(&poll(house, status).expect(202)),
        &(result.clone(), status.clone())
    );
}

fn assert_done(house: &House, (result, status): &(String, String), resource: &str) {
    let shown = poll(house, result).expect(200);
    assert_eq!(shown.json()["status"], "Succeeded", "{}", shown.text());
    assert_eq!(shown.json()["properties"]["resourceId"], resource);
    assert!(shown.json()["endTime"].is_string() && shown.maybe("retry-after").is_none());
    poll(house, status).expect(204);
}

#[test]
fn deletions_with_a_running_job_below_go_through_their_states() {
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg");
    for (path, names) in [
        (job_path("j"), "$ws$e$j"),
        ("~/clusters/c".to_owned(), "$ws$c"),
        ("~/experiments/e".to_owned(), "$ws$e"),
        ("~".to_owned(), "$ws"),
        (group, ""),
    ] {
        let house = busy();
        let begun = house.delete(&path).expect(202);
        let links = urls(&begun);
        let id = links.0.split('?').next().unwrap().rsplit('/').next().unwrap();
        assert!(log().contains(id), "the log names the operation");
        assert_running(&house, &links);
        house.pump();
        house.seconds(3);
        assert_running(&house, &links);
        assert_eq!(
            house.get(&path).expect(200).json()["properties"]["provisioningState"]
                .as_str()
                .unwrap()
                .to_lowercase(),
            "deleting"
        );
        let again = house.delete(&path).expect(202);
        assert_eq!(urls(&again), links, "{path}");
        // Another server goes on with it.
        let house = house.restart();
        house.pump();
        assert_running(&house, &links);
        house.engine.end("j", &Verdict::Stopped);
        house.pump();
        assert_done(&house, &links, &format!("{SUBSCRIPTION}$rg{names}"));
        house.get(&path).expect(404);
        let after = house.delete(&path).status;
        assert!(
            after == 204 || (names.is_empty() && after == 404),
            "{path}: {after}"
        );
        assert_done(&house.restart(), &links, &format!("{SUBSCRIPTION}$rg{names}"));
    }
}

/// Other changes wait while a round is stored.
#[test]
fn a_large_deletion_takes_many_short_rounds() {
    let house = House::furnished(1);
    house.engine.state().stubborn = true;
    house.pump();
    for experiment in ["e", "f", "g"] {
        house
            .put(&format!("~/experiments/{experiment}"), json!({}))
            .expect(200);
        for n in 0..150 {
            let path = format!("~/experiments/{experiment}/jobs/j{n}");
            house.put(&path, job("true")).expect(200);
        }
    }
    let jobs = || {
        let counts = house.ports.store.read(|s| s.job_counts()).unwrap();
        counts.into_iter().map(|(_, jobs)| jobs).sum::<u64>()
    };
    assert_eq!(jobs(), 450);
    let links = urls(&house.delete("~").expect(202));
    house.round();
    for _ in 0..20 {
        let before = jobs();
        let again = house.round();
        assert!(
            before - jobs() <= 200,
            "{before} jobs became {} in one round",
            jobs()
        );
        if !again {
            break;
        }
    }
    house.pump();
    assert_done(&house, &links, &format!("{SUBSCRIPTION}$rg$ws"));
    assert_eq!(jobs(), 0);
}

#[test]
fn what_is_done_at_once_answers_200_and_absent_things_204() {
    let house = House::furnished(0);
    house.submit("j");
    for path in [job_path("j").as_str(), "~/experiments/e", "~/clusters/c", "~"] {
        let gone = house.delete(path).expect(200);
        assert!(gone.body.is_empty() && gone.maybe("location").is_none());
        house.delete(path).expect(204);
        house.delete(&format!("{path}2")).expect(204);
    }
    house.delete("~/fileServers/f").expect(204);
    house.delete(&job_path("j")).expect(204);
}

#[test]
fn a_job_is_terminated_where_it_is() {
    let house = busy();
    let end = |name: &str| house.post(&format!("{}/terminate", job_path(name)));
    house.submit("waiting");
    house.seconds(1);
    let done = end("waiting").expect(200);
    assert!(done.body.is_empty());
    let info = house.job("waiting")["executionInfo"].clone();
    assert_eq!(info["errors"][0]["code"], "JobTerminated");
    assert_eq!(
        info["errors"][0]["message"],
        "The specified job has been terminated by the user"
    );
    assert!(info.get("exitCode").is_none() && info["startTime"].is_string() && info["endTime"].is_string());
    let links = urls(&end("j").expect(202));
    assert_eq!(house.state_of("j"), "terminating");
    assert_eq!(urls(&end("j").expect(202)), links);
    house.pump();
    assert_running(&house, &links);
    house.engine.end("j", &Verdict::Stopped);
    house.pump();
    assert_done(&house, &links, &format!("{SUBSCRIPTION}$rg$ws$e$j"));
    let after = house.job("j");
    assert_eq!(
        (
            after["executionState"].as_str(),
            after["executionInfo"]["errors"][0]["code"].as_str()
        ),
        (Some("failed"), Some("JobTerminated"))
    );
    assert_eq!(
        after["executionInfo"]["endTime"],
        after["executionStateTransitionTime"]
    );
    end("j").expect(200);
    assert_eq!(house.job("j"), after);
    end("none").error(404, "JobNotFound");
}

#[test]
fn an_operation_fails_at_its_deadline_and_is_kept_for_seven_days() {
    let house = busy();
    let links = urls(&house.delete(&job_path("j")).expect(202));
    house.pump();
    house.pass(SignedDuration::from_hours(24));
    house.full_pump();
    let failed = poll(&house, &links.0).expect(200).json();
    assert_eq!(failed["status"], "Failed");
    assert_eq!(failed["error"]["code"], "OperationTimedOut");
    poll(&house, &links.1).error(409, "OperationTimedOut");
    house.pass(SignedDuration::from_hours(7 * 24));
    house.full_pump();
    poll(&house, &links.0).expect(200);
    house.seconds(1);
    house.full_pump();
    poll(&house, &links.0).error(404, "OperationNotFound");
    poll(&house, &links.1).error(404, "OperationNotFound");
}

#[test]
fn an_unknown_operation_is_not_found() {
    let house = House::furnished(0);
    for kind in ["operationresults", "operationstatuses"] {
        let path =
            format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/locations/eastus/{kind}/x");
        house
            .send(Method::GET, &full(&path), &[], Value::Null)
            .error(404, "OperationNotFound");
    }
}
