//! Nodes of a cluster: allocated, set up, short of quota, and counted.

use serde_json::{Value, json};
use trainyard_server::{Quotas, Settings};
use trainyard_store::db::InlineHandle;

use crate::house::{House, SUBSCRIPTION, cluster, settings};

fn house(settings: Settings) -> House {
    House::with(settings, InlineHandle::memory().unwrap()).furnish(0)
}

fn put(house: &House, name: &str, body: Value) -> Value {
    house.put(&format!("~/clusters/{name}"), body).expect(200);
    house.pump();
    house.get(&format!("~/clusters/{name}")).expect(200).json()["properties"].clone()
}

fn of_size(size: &str, nodes: u32) -> Value {
    let mut body = cluster(nodes);
    body["properties"]["vmSize"] = json!(size);
    body
}

fn usages(house: &House) -> Value {
    let path =
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/locations/East%20US/usages");
    house.get(&path).expect(200).json()["value"].clone()
}

fn total(counts: &Value) -> u64 {
    counts
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum()
}

#[test]
fn a_cluster_is_resizing_then_steady_while_nodes_prepare_then_idle() {
    let house = House::furnished(0);
    house.engine.state().slow_nodes = true;
    let created = house.put("~/clusters/d", cluster(2)).expect(200).json()["properties"].clone();
    assert_eq!(
        (&created["allocationState"], &created["currentNodeCount"]),
        (&json!("resizing"), &json!(0))
    );
    assert_eq!(created["allocationStateTransitionTime"], created["creationTime"]);
    house.seconds(1);
    house.pump();
    let shown = |house: &House| house.get("~/clusters/d").json()["properties"].clone();
    let preparing = shown(&house);
    assert_eq!(preparing["allocationState"], "steady");
    assert_eq!(preparing["nodeStateCounts"]["preparingNodeCount"], 2);
    assert_eq!(total(&preparing["nodeStateCounts"]), 2);
    house.engine.ready();
    house.pump();
    assert_eq!(shown(&house)["nodeStateCounts"]["idleNodeCount"], 2);
    let logins = house
        .post("~/clusters/d/listRemoteLoginInformation")
        .expect(200)
        .json();
    let name = logins["value"][0]["nodeId"].as_str().unwrap();
    assert!(
        name.starts_with("tvm-") && name.ends_with('z') && name.contains("_1-"),
        "{name}"
    );
}

#[test]
fn a_failed_setup_makes_a_node_unusable_and_says_so() {
    let house = House::furnished(0);
    house.engine.state().slow_nodes = true;
    put(&house, "d", cluster(1));
    house.engine.fail_setup();
    house.pump();
    let shown = house.get("~/clusters/d").json()["properties"].clone();
    assert_eq!(shown["nodeStateCounts"]["unusableNodeCount"], 1);
    assert_eq!(
        shown["errors"][0],
        json!({"code": "SetupTaskFailed", "message": "it failed"})
    );
}

#[test]
fn nodes_that_end_before_they_are_ready_are_replaced_less_and_less_often_and_the_cluster_says_why() {
    let mut house = House::furnished(0);
    house.engine.state().slow_nodes = true;
    put(&house, "d", cluster(2));
    let mut lost = 0;
    for second in 0..600 {
        lost += house.engine.lose_those_that_prepare();
        house.pump();
        house.seconds(1);
        house.pump();
        if second == 300 {
            let before = house.engine.node_count();
            house = house.restart();
            house.pump();
            assert_eq!(house.engine.node_count(), before, "the pause goes on");
        }
    }
    // After 0, 1, 3, 7, ... seconds, and every 128 in the end; not 600 times two.
    assert!((8 * 2..=11 * 2).contains(&lost), "{lost} nodes");
    let shown = |house: &House| house.get("~/clusters/d").json()["properties"].clone();
    let error = shown(&house)["errors"][0].clone();
    assert_eq!(error["code"], "InternalError");
    let words = error["details"][0]["value"].as_str().unwrap();
    assert!(words.starts_with("words of "), "{error}");
    for _ in 0..130 {
        house.seconds(1);
        house.pump();
    }
    house.engine.ready();
    house.pump();
    assert_eq!(shown(&house)["nodeStateCounts"]["idleNodeCount"], 2);
    assert_eq!(shown(&house)["errors"], Value::Null);
}

#[test]
fn a_cluster_that_wants_no_nodes_shows_none_that_was_lost() {
    let house = House::furnished(0);
    house.engine.state().slow_nodes = true;
    put(&house, "d", cluster(1));
    house.engine.lose_those_that_prepare();
    house.pump();
    let shown = || house.get("~/clusters/d").json()["properties"].clone();
    assert_eq!(shown()["errors"][0]["code"], "InternalError");
    let none = json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 0}}}});
    house.patch("~/clusters/d", none).expect(200);
    house.pump();
    assert_eq!(shown()["errors"], Value::Null);
}

#[test]
fn clusters_are_counted() {
    let house = house(Settings {
        quotas: Quotas {
            clusters: 2,
            ..settings().quotas
        },
        ..settings()
    });
    put(&house, "d", cluster(0));
    let error = house
        .put("~/clusters/f", cluster(0))
        .error(409, "ClusterQuotaReached");
    assert!(error["message"].as_str().unwrap().starts_with(
        "Operation results in exceeding quota limits of Microsoft.BatchAI/clusters. Maximum allowed: 2, Current in use: 2."
    ));
    house.put("~/clusters/d", cluster(0)).expect(200);
    house.delete("~/clusters/d").expect(200);
    house.put("~/clusters/f", cluster(0)).expect(200);
}

#[test]
fn cores_beyond_the_quota_are_not_allocated() {
    let quotas = Quotas {
        dedicated_cores: Some(10),
        low_priority_cores: Some(4),
        family_cores: std::collections::BTreeMap::new(),
        clusters: 20,
    };
    let house = house(Settings { quotas, ..settings() });
    let first = put(&house, "a", of_size("STANDARD_D4", 2));
    assert_eq!(first["currentNodeCount"], 2);
    let short = put(&house, "b", of_size("standard_d4", 1));
    assert_eq!(
        (&short["currentNodeCount"], &short["allocationState"]),
        (&json!(0), &json!("steady"))
    );
    let message = short["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("10 cores, 8 are in use; raise quotas.dedicated_cores"),
        "{message}"
    );
    let mut cheap = of_size("STANDARD_D4", 2);
    cheap["properties"]["vmPriority"] = json!("lowpriority");
    assert_eq!(put(&house, "l", cheap)["currentNodeCount"], 1);
    let rows = usages(&house);
    let row = |name: &str| {
        let found = rows
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"]["value"] == name);
        let found = found.unwrap_or_else(|| panic!("{name} is not in {rows}"));
        (
            found["currentValue"].as_u64().unwrap(),
            found["limit"].as_u64().unwrap(),
        )
    };
    assert_eq!(row("Clusters"), (4, 20));
    assert_eq!(row("Total Cluster Dedicated Regional vCPUs"), (8, 10));
    assert_eq!(row("Standard D Family Cluster Dedicated vCPUs"), (8, 10));
    assert_eq!(row("Total Cluster LowPriority Regional vCPUs"), (4, 4));
    // What is given back is there for others.
    house.delete("~/clusters/a").expect(202);
    house.pump();
    house.full_pump();
    assert_eq!(
        house.get("~/clusters/b").json()["properties"]["currentNodeCount"],
        1
    );
    assert!(
        house.get("~/clusters/b").json()["properties"]
            .get("errors")
            .is_none()
    );
}

#[test]
fn the_machine_bounds_nodes() {
    let house = house(settings());
    house.engine.state().capacity.max_nodes = 2;
    let short = put(&house, "a", cluster(3));
    assert_eq!(short["currentNodeCount"], 2);
    assert!(
        short["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("local.max_nodes")
    );
}

#[test]
fn a_target_above_the_quota_of_a_family_is_accepted_and_not_reached() {
    let family = ("Standard D Family".to_owned(), (Some(9), None));
    let quotas = Quotas {
        family_cores: [family].into(),
        ..settings().quotas
    };
    let house = house(Settings { quotas, ..settings() });
    let message = |shown: &Value| shown["errors"][0]["message"].as_str().unwrap().to_owned();
    let short = put(&house, "a", of_size("STANDARD_D4", 3));
    assert_eq!(
        (&short["currentNodeCount"], &short["allocationState"]),
        (&json!(2), &json!("steady"))
    );
    assert!(
        message(&short)
            .contains("9 cores, 8 are in use; raise quotas.families.\"Standard D Family\".dedicated_cores"),
        "{short}"
    );
    let mut least = crate::house::autoscaled(5, 9);
    least["properties"]["vmSize"] = json!("STANDARD_D4");
    let none = put(&house, "b", least);
    assert_eq!(none["currentNodeCount"], 0);
    assert!(message(&none).contains("wants 5 nodes and can have 0"), "{none}");
    // The family's own limit stands in its row, and the regional one in the others.
    let limit_of = |row: &Value| (row["name"]["value"].clone(), row["limit"].clone());
    let rows: Vec<_> = usages(&house).as_array().unwrap().iter().map(limit_of).collect();
    assert!(rows.contains(&(json!("Standard D Family Cluster Dedicated vCPUs"), json!(9))));
    assert!(rows.contains(&(json!("Standard NC Family Cluster Dedicated vCPUs"), json!(600))));
    // Nodes of the other kind have a quota of their own.
    let mut cheap = of_size("STANDARD_D4", 2);
    cheap["properties"]["vmPriority"] = json!("lowpriority");
    assert_eq!(put(&house, "l", cheap)["currentNodeCount"], 2);
}

/// The service's own answer, row by row (behaviour.md section 12).
#[test]
fn usages_have_the_names_and_the_order_of_the_service() {
    let Some(examples) = crate::house::reference("spec/examples/2018-05-01") else {
        return;
    };
    let text = std::fs::read_to_string(examples.join("ListUsages.json")).unwrap();
    let published: Value = serde_json::from_str(&text).unwrap();
    let published = published["responses"]["200"]["body"]["value"].clone();
    let families = ["D", "Dv2", "NC", "NCv2", "NCv3", "ND", "NV"];
    let house = house(Settings {
        families: families.map(|name| format!("Standard {name} Family")).to_vec(),
        ..settings()
    });
    let words = |rows: &Value| -> Vec<(Value, Value)> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (row["name"].clone(), row["unit"].clone()))
            .collect()
    };
    assert_eq!(words(&usages(&house)), words(&published));
}
