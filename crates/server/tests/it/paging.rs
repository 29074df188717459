//! Lists, page by page.

use axum::http::Method;
use serde_json::Value;
use trainyard_server::Settings;
use trainyard_store::db::InlineHandle;

use crate::house::{Answer, House, full, job_path, local, settings};

const JOBS: &str = "~/experiments/e/jobs";

fn next(answer: &Answer) -> Option<String> {
    answer.json()["nextLink"].as_str().map(str::to_owned)
}

fn numbered(numbers: impl Iterator<Item = u32>) -> Vec<String> {
    numbers.map(|n| format!("j{n:02}")).collect()
}

fn with_jobs(house: House) -> House {
    for name in numbered(0..25) {
        house.submit(&name);
    }
    house
}

#[test]
fn pages_are_followed_to_the_end_while_jobs_come_and_go() {
    let house = with_jobs(House::furnished(0));
    assert_eq!(house.get(JOBS).expect(200).names(), numbered(0..25));
    assert_eq!(next(&house.get(JOBS)), None);
    assert_eq!(next(&house.get(&format!("{JOBS}?maxresults=25"))), None);
    let first = house.get(&format!("{JOBS}?maxresults=10")).expect(200);
    assert_eq!(first.names(), numbered(0..10));
    house.delete(&job_path("j09")).expect(200);
    house.delete(&job_path("j12")).expect(200);
    house.submit("j90");
    let link = next(&first).unwrap();
    assert!(
        link.starts_with("http://yard.example:8080/subscriptions/"),
        "{link}"
    );
    let second = house.raw(Method::GET, local(&link), &[], vec![]).expect(200);
    assert_eq!(second.names(), numbered([10, 11].into_iter().chain(13..21)));
    house.delete(&job_path("j20")).expect(200);
    let third = house
        .raw(Method::GET, local(&next(&second).unwrap()), &[], vec![])
        .expect(200);
    assert_eq!(third.names(), numbered((21..25).chain([90])));
    assert_eq!(next(&third), None);
}

#[test]
fn links_begin_with_the_public_url_where_there_is_one() {
    let public = Settings {
        public_url: Some("https://yard.example/base/".to_owned()),
        ..settings()
    };
    let house = with_jobs(House::with(public, InlineHandle::memory().unwrap()).furnish(0));
    let link = next(&house.get(&format!("{JOBS}?maxresults=1"))).unwrap();
    assert!(
        link.starts_with("https://yard.example/base/subscriptions/"),
        "{link}"
    );
    let house = with_jobs(House::furnished(0));
    let page = full(&format!("{JOBS}?maxresults=1"));
    for host in ["127.0.0.1:9", "[::1]:8080", "a-b.example"] {
        let answer = house
            .raw(Method::GET, &page, &[("host", host)], vec![])
            .expect(200);
        assert!(
            next(&answer).unwrap().starts_with(&format!("http://{host}/")),
            "{answer:?}"
        );
    }
    for host in ["", "a b", "a/b", "u@h", "h\"", "a,b/c"] {
        house
            .raw(Method::GET, &page, &[("host", host)], vec![])
            .error(400, "BadRequest");
    }
}

#[test]
fn every_list_has_pages() {
    let house = House::furnished(0);
    house
        .put("~2", serde_json::json!({"location": "eastus"}))
        .expect(200);
    for name in ["x", "y"] {
        house
            .put(&format!("~/experiments/{name}"), Value::Null)
            .expect(200);
        house
            .put(&format!("~/clusters/{name}"), crate::house::cluster(0))
            .expect(200);
    }
    let group = full("~").split("/ws").next().unwrap().to_owned();
    let subscription = format!(
        "/subscriptions/{}/providers/Microsoft.BatchAI/workspaces",
        crate::house::SUBSCRIPTION
    );
    for (path, wanted) in [
        ("~/experiments", 3),
        ("~/clusters", 3),
        (&*group, 2),
        (&*subscription, 2),
    ] {
        let mut link = full(&format!("{path}?maxresults=1"));
        let mut names = Vec::new();
        for _ in 0..10 {
            let page = house
                .raw(Method::GET, local(&format!("x://h{link}")), &[], vec![])
                .expect(200);
            names.extend(page.names());
            match next(&page) {
                Some(next) => link = local(&next).to_owned(),
                None => break,
            }
        }
        assert_eq!(names.len(), wanted, "{path}: {names:?}");
    }
}

#[test]
fn bad_page_parameters_are_refused() {
    let house = House::furnished(0);
    for number in ["0", "1001", "-1", "x", "", "1.5", "99999999999999999999"] {
        let error = house
            .get(&format!("{JOBS}?maxresults={number}"))
            .error(400, "BadRequest");
        assert_eq!(error["target"], "maxresults", "{number}");
    }
    for token in ["x", "", "%00", "99999999999999999999"] {
        house
            .get(&format!("{JOBS}?$skiptoken={token}"))
            .error(400, "BadRequest");
        house
            .get(&format!("~/clusters?%24skiptoken={token}"))
            .error(400, "BadRequest");
    }
    house.get(&format!("{JOBS}?maxresults=1000")).expect(200);
}
