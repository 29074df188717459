//! No body, however mangled, makes a panic; and whatever is accepted comes back as the same wish.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use trainyard_domain::stored;
use trainyard_wire::v2018_05_01 as wire;
use trainyard_wire::{BadBody, resources};

use crate::{build, samples};

fn bodies() -> Vec<Value> {
    let jobs = samples::toolkits();
    let jobs = jobs.iter().map(samples::job_with);
    let rest = [
        samples::cluster(),
        samples::job(),
        samples::file_server(),
        json!({"location": "eastus", "tags": {"a": "b"}}),
    ];
    jobs.chain(rest).collect()
}

/// Adds the members that an answer has beside the wish.
fn named(mut body: Value) -> Value {
    body["id"] =
        json!("/subscriptions/s-1/resourceGroups/rg/providers/x/workspaces/ws/experiments/exp/jobs/j");
    body["name"] = json!("j");
    body
}

/// Reads the body as every kind of resource; where it is accepted, writes it, reads that and compares. The
/// stored form says of secrets only that they are there.
fn round(body: &[u8]) -> Result<usize, BadBody> {
    let mut accepted = 0;
    let again = |answer: Value| build::with_secrets(answer).to_string();
    let named = named(json!({"properties": {}}));
    if let Ok(mut spec) = wire::cluster_create(body) {
        let answer = wire::cluster(&build::cluster_of(spec.clone(), &named), &[]);
        let mut read = wire::cluster_create(again(answer).as_bytes())?;
        read.user_account_settings.admin_user_password = None;
        spec.user_account_settings.admin_user_password = None;
        assert_eq!(stored::write(&read).unwrap(), stored::write(&spec).unwrap());
        accepted += 1;
    }
    if let Ok(mut spec) = wire::file_server_create(body) {
        let answer = wire::file_server(&build::file_server_of(spec.clone(), &named));
        let mut read = wire::file_server_create(again(answer).as_bytes())?;
        read.ssh_configuration.user_account_settings.admin_user_password = None;
        spec.ssh_configuration.user_account_settings.admin_user_password = None;
        assert_eq!(stored::write(&read).unwrap(), stored::write(&spec).unwrap());
        accepted += 1;
    }
    if let Ok(spec) = wire::job_create(body) {
        let answer = wire::job(&build::job_of(spec.clone(), &named));
        assert!(!answer.to_string().contains("hush"), "{answer}");
        let read = wire::job_create(again(answer).as_bytes())?;
        assert_eq!(stored::write(&read).unwrap(), stored::write(&spec).unwrap());
        accepted += 1;
    }
    accepted += usize::from(wire::workspace_create(body).is_ok());
    accepted += usize::from(resources::group_create(body).is_ok());
    let _ = (
        wire::workspace_update(body),
        wire::cluster_update(body),
        wire::experiment_create(body),
    );
    Ok(accepted)
}

#[test]
fn whole_bodies_come_back_as_the_same_wish() {
    for body in bodies() {
        let accepted = round(body.to_string().as_bytes()).unwrap();
        assert!(accepted >= 1, "{body:#}");
    }
}

#[derive(Debug, Clone)]
enum Change {
    Drop,
    Put(Value),
    Nest,
    Double,
}

fn change() -> impl Strategy<Value = Change> {
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!("\0"),
        json!("../.."),
        json!("ü/日本\u{202e}"),
        json!("PT1S"),
        json!("::::"),
        json!("é:é:é"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"id": "/"}),
    ];
    prop_oneof![
        1 => Just(Change::Drop),
        4 => proptest::sample::select(values.to_vec()).prop_map(Change::Put),
        1 => ".{0,40}".prop_map(|text| Change::Put(json!(text))),
        1 => Just(Change::Nest),
        1 => Just(Change::Double),
    ]
}

fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            found.push(format!("{at}/{name}"));
            places(member, format!("{at}/{name}"), found);
        }),
        Value::Array(entries) => entries.iter().enumerate().for_each(|(i, entry)| {
            found.push(format!("{at}/{i}"));
            places(entry, format!("{at}/{i}"), found);
        }),
        _ => {}
    }
}

fn apply(body: &mut Value, place: usize, change: Change) {
    let mut found = Vec::new();
    places(body, String::new(), &mut found);
    if found.is_empty() {
        return;
    }
    let pointer = &found[place % found.len()];
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let (Some(old), Some(parent)) = (body.pointer(pointer).cloned(), body.pointer_mut(parent)) else {
        return;
    };
    match (parent, change) {
        (Value::Object(members), Change::Drop) => drop(members.remove(last)),
        (Value::Array(entries), Change::Drop) => drop(entries.pop()),
        (Value::Array(entries), Change::Double) => entries.push(old),
        (parent, change) => {
            let new = match change {
                Change::Put(value) => value,
                Change::Nest => json!([old]),
                Change::Double => json!({last: old}),
                Change::Drop => Value::Null,
            };
            match parent {
                Value::Object(members) => drop(members.insert(last.to_owned(), new)),
                Value::Array(entries) => entries[last.parse::<usize>().unwrap()] = new,
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn mangled_bodies_are_refused_or_come_back(
        which in 0usize..100,
        changes in vec((any::<u16>(), change()), 1..4),
    ) {
        let all = bodies();
        let mut body = all[which % all.len()].clone();
        for (place, change) in changes {
            apply(&mut body, usize::from(place), change);
        }
        prop_assert!(round(body.to_string().as_bytes()).is_ok(), "{body:#}");
    }

    #[test]
    fn broken_bytes_make_no_panic(
        which in 0usize..100,
        cuts in vec((any::<u16>(), any::<u8>()), 0..6),
        length in any::<u16>(),
    ) {
        let all = bodies();
        let mut bytes = all[which % all.len()].to_string().into_bytes();
        for (at, byte) in cuts {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        if length % 3 == 0 {
            bytes.truncate(usize::from(length) % bytes.len());
        }
        prop_assert!(round(&bytes).is_ok());
    }

    #[test]
    fn random_bytes_make_no_panic(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(round(&bytes).is_ok());
    }
}
