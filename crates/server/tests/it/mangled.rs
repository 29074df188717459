//! Whatever is sent, the answer is never a 500 and never half a resource: the house checks every answer.

use std::cell::RefCell;

use axum::http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::house::{House, autoscaled, cluster, full, job, share};

/// Valid requests to start from.
fn seeds() -> Vec<(Method, String, Value)> {
    let mut rich = job("true");
    rich["properties"]["mountVolumes"] = json!({"azureFileShares": [share()]});
    rich["properties"]["outputDirectories"] =
        json!([{"id": "M", "pathPrefix": "$AZ_BATCHAI_JOB_MOUNT_ROOT/afs", "pathSuffix": "m"}]);
    rich["properties"]["environmentVariables"] = json!([{"name": "A", "value": "b"}]);
    rich["properties"]["constraints"] = json!({"maxWallClockTime": "PT1H"});
    let files = "~/experiments/e/jobs/j/listOutputFiles?outputdirectoryid=stdouterr&directory=a&maxresults=5&linkexpiryinminutes=9";
    [
        (Method::PUT, "~", json!({"location": "eastus", "tags": {"a": "b"}})),
        (Method::PATCH, "~", json!({"tags": {"a": "b"}})),
        (Method::PUT, "~/clusters/x", cluster(1)),
        (Method::PATCH, "~/clusters/c", json!({"properties": autoscaled(0, 2)["properties"]})),
        (Method::PUT, "~/experiments/e/jobs/x", rich),
        (Method::GET, "~/experiments/e/jobs?maxresults=3&$skiptoken=5", Value::Null),
        (Method::POST, files, Value::Null),
        (Method::POST, "~/experiments/e/jobs/j/terminate", Value::Null),
        (Method::DELETE, "~/fileServers/f", Value::Null),
        (Method::GET, "/files/acct/files/share/a?se=2026-03-04T06%3A06%3A07Z&sp=rl&sr=f&sig=AAAA", Value::Null),
        (Method::GET, "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.BatchAI/locations/eastus/usages", Value::Null),
        (Method::POST, "/trainyard/principals", json!({"name": "n", "role": "Reader", "scope": "/", "days": 3})),
        (Method::POST, "/adfs/oauth2/token", json!("grant_type=client_credentials&client_id=a&client_secret=b&resource=c")),
        (Method::POST, "/trainyard/tokens", json!({"name": "n", "role": "Reader", "scope": "/"})),
    ]
    .into_iter()
    .map(|(method, path, body)| (method, full(path), body))
    .collect()
}

/// One change of a text: cut, doubled, or something else in between.
fn bend(text: &str, at: usize, with: &str, cut: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = at % (chars.len() + 1);
    let until = (at + cut).min(chars.len());
    chars[..at]
        .iter()
        .copied()
        .chain(with.chars())
        .chain(chars[until..].iter().copied())
        .collect()
}

/// Puts a value of another kind at the `n`-th place of a body.
fn replace(body: &mut Value, n: &mut usize, with: &Value) {
    if *n == 0 {
        *body = with.clone();
    }
    *n = n.wrapping_sub(1);
    match body {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, n, with)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, n, with)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9/%?&=$.,:;+*'()~_-]{0,12}",
        Just("%00".to_owned()),
        Just("%2F..%2F".to_owned()),
        Just("/../".to_owned()),
        Just("%FF".to_owned()),
        Just("//".to_owned()),
        Just("9".repeat(30)),
        Just("x".repeat(4000)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{}]])),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(Value::from("\u{0}")),
        Just(Value::from("../..")),
        Just(Value::from("x".repeat(70_000))),
    ]
}

fn header() -> impl Strategy<Value = (&'static str, String)> {
    let name = prop_oneof![
        Just("if-match"),
        Just("if-none-match"),
        Just("range"),
        Just("host"),
        Just("authorization"),
        Just("content-type"),
    ];
    let value = prop_oneof![
        "[ -~]{0,30}",
        Just("\"0x1\", W/\"x\",,*".to_owned()),
        Just("bytes=5-2,7-".to_owned()),
        Just("bytes=99999999999999999999-".to_owned()),
        Just("\u{e9}".to_owned()),
    ];
    (name, value)
}

#[test]
fn no_mangled_request_is_a_500() {
    let house = RefCell::new(House::furnished(1));
    house.borrow().submit("j");
    let seeds = seeds();
    let count = seeds.len();
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig {
            cases: 1500,
            failure_persistence: None,
            ..ProptestConfig::default()
        },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let strategy = (
        0..count,
        any::<usize>(),
        noise(),
        0..4usize,
        any::<u8>(),
        0..40usize,
        value(),
        proptest::option::of(header()),
    );
    let result = runner.run(&strategy, |(seed, at, noise, cut, what, place, value, header)| {
        let (method, path, body) = &seeds[seed];
        let path = if what & 1 == 0 {
            bend(path, at, &noise, cut)
        } else {
            path.clone()
        };
        if !path.starts_with('/') || path.parse::<axum::http::Uri>().is_err() {
            return Ok(());
        }
        let mut body = body.clone();
        if what & 2 == 0 && !body.is_null() {
            replace(&mut body, &mut place.clone(), &value);
        }
        let mut bytes = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(&body).unwrap()
        };
        if what & 12 == 0 {
            bytes.truncate(at % (bytes.len() + 1));
        }
        let headers: Vec<(&str, &str)> = header
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let house = house.borrow();
        house.raw(method.clone(), &path, &headers, bytes);
        Ok(())
    });
    result.unwrap();
    // The house still stands, and so does what was not to be changed.
    let house = house.borrow();
    house.pump();
    house.get("~").expect(200);
    assert_eq!(house.get("~/experiments").expect(200).names(), ["e"]);
}
