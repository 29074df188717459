//! The key that seals secrets: shown by its id alone, replaced by whoever owns everything.

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::House;

#[test]
fn the_key_is_shown_by_its_id_and_how_much_it_seals() {
    let house = House::furnished(1);
    let shown = house.get("/trainyard/key").expect(200).json();
    let keys = shown["keys"].as_array().unwrap();
    assert_eq!(
        (keys.len(), &keys[0]["sealed"], &keys[0]["here"]),
        (1, &json!(1), &json!(true))
    );
    assert_eq!(keys[0]["id"].as_str().map(str::len), Some(16));
}

#[test]
fn a_key_of_the_operators_own_is_not_replaced_and_the_answer_says_what_to_do() {
    let house = House::furnished(1);
    let refused = house.post("/trainyard/key/rotate").expect(400).text();
    assert!(
        refused.contains("first line") && refused.contains("start the server again"),
        "{refused}"
    );
}

#[test]
fn nobody_but_an_owner_of_everything_sees_or_replaces_it() {
    let house = House::furnished(0);
    let scope = format!("/subscriptions/{}", crate::house::SUBSCRIPTION);
    let wish = json!({"name": "t", "role": "Owner", "scope": scope});
    let made = house
        .send(Method::POST, "/trainyard/tokens", &[], wish)
        .expect(201)
        .json();
    house.token.replace(made["token"].as_str().unwrap().to_owned());
    house.get("/trainyard/key").expect(403);
    house
        .send(Method::POST, "/trainyard/key/rotate", &[], Value::Null)
        .expect(403);
}
