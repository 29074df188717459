//! Two api-versions of one service: what is made in one is there in the other, and links stay in the one
//! that was asked.

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::{House, SUBSCRIPTION, full, job, job_path, local};

const OURS: &str = "api-version=2026-12-01-preview";

/// The same path in our own api-version.
fn ours(path: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}{OURS}")
}

fn per_node() -> Value {
    let mut wish = job("true");
    wish["properties"]["customToolkitSettings"]["perNode"] = json!(true);
    wish
}

fn settings(answer: &Value) -> Value {
    answer["properties"]["customToolkitSettings"].clone()
}

#[test]
fn a_job_is_read_in_both_versions() {
    let house = House::furnished(0);
    let made = house.put(&ours(&job_path("n")), per_node()).expect(200).json();
    assert_eq!(settings(&made), json!({"commandLine": "true", "perNode": true}));
    let jobs = "~/experiments/e/jobs";
    let listed = house.get(&ours(jobs)).expect(200).json();
    assert_eq!(listed["value"][0], made);
    for old in [
        house.get(&job_path("n")).expect(200).json(),
        house.get(jobs).expect(200).json()["value"][0].clone(),
    ] {
        assert_eq!(settings(&old), json!({"commandLine": "true"}));
        assert_eq!(old["properties"]["toolType"], "custom");
    }
    house.put(&job_path("o"), job("true")).expect(200);
    assert_eq!(
        house.get(&ours(&job_path("o"))).expect(200).json(),
        house.get(&job_path("o")).json()
    );
    let house = house.restart();
    assert_eq!(house.get(&ours(&job_path("n"))).expect(200).json(), made);
}

#[test]
fn per_node_is_part_of_the_wish() {
    let house = House::furnished(0);
    house.put(&ours(&job_path("n")), per_node()).expect(200);
    house.put(&ours(&job_path("n")), per_node()).expect(200);
    house
        .put(&ours(&job_path("n")), job("true"))
        .error(409, "JobAlreadyExists");
    // In 2018-05-01 the member is not known, so that body asks for the plain command.
    house
        .put(&job_path("n"), per_node())
        .error(409, "JobAlreadyExists");
    house.put(&job_path("o"), per_node()).expect(200);
    house.put(&ours(&job_path("o")), job("true")).expect(200);
    let mut nothing = per_node();
    nothing["properties"]["customToolkitSettings"] = json!({"perNode": true});
    let error = house.put(&ours(&job_path("x")), nothing).error(400, "BadRequest");
    assert_eq!(error["target"], "properties.customToolkitSettings.commandLine");
}

#[test]
fn links_carry_the_version_that_was_asked() {
    for (version, other) in [
        ("2018-05-01", "2026-12-01-preview"),
        ("2026-12-01-preview", "2018-05-01"),
    ] {
        let house = House::furnished(1);
        house.engine.state().stubborn = true;
        house.submit("a");
        house.submit("b");
        house.pump();
        let asked = format!("Api-Version={}", version.to_uppercase());
        let uri = |path: &str| full(path).replace("api-version=2018-05-01", &asked);
        let page = house.raw(
            Method::GET,
            &uri("~/experiments/e/jobs?maxresults=1"),
            &[],
            vec![],
        );
        let next = page.expect(200).json()["nextLink"].as_str().unwrap().to_owned();
        assert!(next.contains(&format!("?api-version={version}&")), "{next}");
        assert!(!next.contains(other), "{next}");
        let page = house.raw(Method::GET, local(&next), &[], vec![]);
        assert_eq!(page.expect(200).names(), ["b"]);
        let begun = house
            .raw(Method::DELETE, &uri(&job_path("a")), &[], vec![])
            .expect(202);
        for link in ["azure-asyncoperation", "location"] {
            let link = begun.header(link);
            assert!(link.ends_with(&format!("?api-version={version}")), "{link}");
            let polled = house.raw(Method::GET, local(link), &[], vec![]);
            if polled.status == 202 {
                assert!(polled.header("location").ends_with(version));
            } else {
                polled.expect(200);
            }
        }
    }
}

#[test]
fn around_the_service_any_date_is_taken() {
    for (asked, linked) in [
        ("2026-12-01-preview", "2026-12-01-preview"),
        ("2019-11-01", "2018-05-01"),
    ] {
        let house = House::furnished(1);
        house.engine.state().stubborn = true;
        house.submit("j");
        house.pump();
        let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg?api-version={asked}");
        let link = house.delete(&group).expect(202).header("location").to_owned();
        assert!(link.ends_with(&format!("?api-version={linked}")), "{link}");
        house.raw(Method::GET, local(&link), &[], vec![]).expect(202);
    }
}

#[test]
fn an_unknown_version_is_told_which_there_are() {
    let house = House::furnished(0);
    let error = house
        .get("~?api-version=2026-12-01")
        .error(400, "InvalidApiVersionParameter");
    let message = error["message"].as_str().unwrap();
    for version in ["'2026-12-01'", "2018-05-01", "2026-12-01-preview"] {
        assert!(message.contains(version), "{message}");
    }
    house.get(&ours("~/things/x")).error(404, "InvalidResourceType");
}

#[test]
fn the_provider_names_the_versions_newest_first() {
    let house = House::bare();
    let path = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI?api-version=2019-11-01");
    let shown = house.get(&path).expect(200).json();
    for kind in shown["resourceTypes"].as_array().unwrap() {
        let versions = match kind["resourceType"].as_str().unwrap().split('/').next() {
            Some("workspaces") => json!(["2026-12-01-preview", "2018-05-01"]),
            _ => json!(["2018-03-01", "2017-09-01-preview"]),
        };
        assert_eq!(kind["apiVersions"], versions, "{kind}");
    }
}
