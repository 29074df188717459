//! A panic in a request is that request's 500 and nothing else's.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::house::{House, SECRET};

#[test]
fn a_panicking_handler_answers_500_and_the_next_request_is_fine() {
    let house = House::furnished(0);
    house.clock.broken.store(true, Ordering::Relaxed);
    house.may_fail.set(true);
    let answer = house.put("~/experiments/x", json!({"note": SECRET}));
    let error = answer.error(500, "InternalServerError");
    assert!(!error["message"].as_str().unwrap().contains("clock"), "{error}");
    house.may_fail.set(false);
    house.get("~/experiments/x").error(404, "ExperimentNotFound");
    house.clock.broken.store(false, Ordering::Relaxed);
    house.put("~/experiments/x", json!({})).expect(200);
}
