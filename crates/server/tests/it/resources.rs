//! The life of a resource: PUT, PATCH, DELETE, entity tags and conditions.

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::{Answer, House, SECRET, autoscaled, cluster, job, job_path};

fn server() -> Value {
    json!({"properties": {
        "vmSize": "standard_d1",
        "sshConfiguration": {"userAccountSettings": {"adminUserName": "u", "adminUserPassword": format!("{SECRET}-fs")}},
        "dataDisks": {"diskSizeInGB": 10, "diskCount": 2, "storageAccountType": "Standard_LRS"}
    }})
}

fn tag(answer: &Answer) -> (String, String) {
    (
        answer.header("etag").to_owned(),
        answer.header("last-modified").to_owned(),
    )
}

#[test]
fn an_equal_put_changes_nothing() {
    let house = House::furnished(0);
    house.put("~/fileServers/f", server()).expect(200);
    house.put(&job_path("j"), job("true")).expect(200);
    let events = crate::events::all(&house).len();
    for (path, body) in [
        ("~".to_owned(), json!({"location": "East US"})),
        ("~/experiments/e".to_owned(), json!({"properties": {}})),
        ("~/clusters/c".to_owned(), cluster(0)),
        ("~/fileServers/f".to_owned(), server()),
        (job_path("j"), job("true")),
    ] {
        let before = house.get(&path).expect(200);
        house.seconds(5);
        let again = house.put(&path, body).expect(200);
        assert_eq!(tag(&before), tag(&again), "{path}");
        assert_eq!(before.json(), again.json(), "{path}");
        assert_eq!(before.json(), house.get(&path).json(), "{path}");
        let properties = &again.json()["properties"];
        assert_eq!(properties["provisioningState"], "succeeded");
        assert_eq!(
            properties["creationTime"],
            properties["provisioningStateTransitionTime"]
        );
        let etag = again.header("etag");
        assert!(etag.starts_with("\"0x8D") || etag.starts_with("\"0x8"), "{etag}");
        assert!(etag.ends_with('"') && u64::from_str_radix(&etag[3..etag.len() - 1], 16).is_ok());
        assert_eq!(again.header("last-modified"), "Wed, 04 Mar 2026 05:06:07 GMT");
    }
    assert_eq!(crate::events::all(&house).len(), events);
}

#[test]
fn times_are_printed_with_cut_zeros() {
    let house = House::furnished(0);
    let shown = house.get("~").expect(200).json();
    assert_eq!(shown["properties"]["creationTime"], "2026-03-04T05:06:07.89Z");
    assert_eq!(shown["type"], "Microsoft.BatchAI/workspaces");
}

#[test]
fn another_wish_is_a_conflict_even_if_only_a_secret_differs() {
    let house = House::furnished(0);
    house.put("~/fileServers/f", server()).expect(200);
    house.put(&job_path("j"), job("true")).expect(200);
    let changed = |mut body: Value, pointer: &str, value: Value| {
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let other = || json!(format!("{SECRET}-other"));
    let password = "/properties/userAccountSettings/adminUserPassword";
    let key = "/properties/nodeSetup/mountVolumes/azureFileShares/0/credentials/accountKey";
    let disk = "/properties/dataDisks/diskCount";
    let fs_password = "/properties/sshConfiguration/userAccountSettings/adminUserPassword";
    for (path, body, code) in [
        ("~/clusters/c".to_owned(), cluster(3), "ClusterAlreadyExists"),
        (
            "~/clusters/c".to_owned(),
            changed(cluster(0), password, other()),
            "ClusterAlreadyExists",
        ),
        (
            "~/clusters/c".to_owned(),
            changed(cluster(0), key, other()),
            "ClusterAlreadyExists",
        ),
        (
            "~/fileServers/f".to_owned(),
            changed(server(), disk, json!(3)),
            "FileServerAlreadyExists",
        ),
        (
            "~/fileServers/f".to_owned(),
            changed(server(), fs_password, other()),
            "FileServerAlreadyExists",
        ),
        (job_path("j"), job("false"), "JobAlreadyExists"),
        (
            job_path("j"),
            changed(job("true"), "/properties/secrets/0/value", other()),
            "JobAlreadyExists",
        ),
        (
            "~".to_owned(),
            json!({"location": "westus"}),
            "WorkspaceAlreadyExists",
        ),
    ] {
        let before = house.get(&path).expect(200);
        house.put(&path, body).error(409, code);
        let after = house.get(&path).expect(200);
        assert_eq!(
            (before.json(), tag(&before)),
            (after.json(), tag(&after)),
            "{path}"
        );
    }
}

#[test]
fn defaults_count_as_given() {
    let house = House::furnished(0);
    let mut spelt_out = cluster(0);
    spelt_out["properties"]["scaleSettings"]["manual"]["nodeDeallocationOption"] = json!("requeue");
    spelt_out["properties"]["vmPriority"] = json!("Dedicated");
    house.put("~/clusters/c", spelt_out).expect(200);
    house.put(&job_path("j"), job("true")).expect(200);
    let mut spelt_out = job("true");
    spelt_out["properties"]["schedulingPriority"] = json!("normal");
    spelt_out["properties"]["constraints"] = json!({"maxWallClockTime": "P7D"});
    house.put(&job_path("j"), spelt_out).expect(200);
}

#[test]
fn workspaces_change_by_put_and_patch() {
    let house = House::furnished(0);
    let first = house.get("~").expect(200);
    house.seconds(2);
    let put = house
        .put("~", json!({"location": "eastus", "tags": {"a": "1", "b": "2"}}))
        .expect(200);
    assert_ne!(tag(&first).0, tag(&put).0);
    assert_eq!(put.header("last-modified"), "Wed, 04 Mar 2026 05:06:09 GMT");
    assert_eq!(put.json()["properties"], first.json()["properties"]);
    let patched = house.patch("~", json!({"tags": {"c": "3"}})).expect(200);
    assert_eq!(patched.json()["tags"], json!({"c": "3"}));
    assert_ne!(tag(&put).0, tag(&patched).0);
    let same = house.patch("~", json!({})).expect(200);
    assert_eq!(tag(&same), tag(&patched));
    let replaced = house.put("~", json!({"location": "eastus"})).expect(200);
    assert!(replaced.json()["tags"].is_null() || replaced.json()["tags"] == json!({}));
    house
        .patch("~/clusters/none", json!({}))
        .error(404, "ClusterNotFound");
}

#[test]
fn cluster_patches_replace_the_scale_whole() {
    let house = House::furnished(1);
    let before = house.get("~/clusters/c").expect(200);
    let body = json!({"properties": {"scaleSettings": autoscaled(0, 3)["properties"]["scaleSettings"]}});
    let patched = house.patch("~/clusters/c", body.clone()).expect(200);
    let scale = &patched.json()["properties"]["scaleSettings"];
    assert!(scale.get("manual").is_none());
    assert_eq!(
        scale["autoScale"],
        json!({"minimumNodeCount": 0, "maximumNodeCount": 3, "initialNodeCount": 0})
    );
    assert_ne!(tag(&before).0, tag(&patched).0);
    house.seconds(1);
    assert_eq!(tag(&patched), tag(&house.patch("~/clusters/c", body).expect(200)));
    // The secrets are still those of the first wish.
    let mut now = autoscaled(0, 3);
    now["properties"]["scaleSettings"]["autoScale"]["initialNodeCount"] = json!(0);
    assert_eq!(tag(&patched), tag(&house.put("~/clusters/c", now).expect(200)));
}

#[test]
fn the_tag_does_not_change_with_run_time_state() {
    let house = House::furnished(0);
    let cluster_tag = tag(&house
        .patch(
            "~/clusters/c",
            json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 2}}}}),
        )
        .expect(200));
    house.submit("j");
    let job_tag = tag(&house.get(&job_path("j")));
    for _ in 0..3 {
        house.seconds(7);
        house.pump();
    }
    assert_eq!(
        (house.state_of("j"), house.cluster()["currentNodeCount"].clone()),
        ("running".to_owned(), json!(2))
    );
    house
        .engine
        .end("j", &trainyard_domain::state::Verdict::Exited(0));
    house.pump();
    assert_eq!(house.state_of("j"), "succeeded");
    assert_eq!(tag(&house.get(&job_path("j"))), job_tag);
    assert_eq!(tag(&house.get("~/clusters/c")), cluster_tag);
    assert!(house.get("~/clusters").expect(200).maybe("etag").is_none());
    assert!(house.get("~/clusters/none").expect(404).maybe("etag").is_none());
}

#[test]
fn conditions_are_kept_on_every_write() {
    let house = House::furnished(0);
    house.put("~/fileServers/f", server()).expect(200);
    house.put(&job_path("j"), job("true")).expect(200);
    let patch = json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 1}}}});
    let things = [
        (job_path("j"), job("true"), None),
        ("~/fileServers/f".to_owned(), server(), None),
        ("~/clusters/c".to_owned(), cluster(0), Some(patch)),
        ("~/experiments/e".to_owned(), Value::Null, None),
        (
            "~".to_owned(),
            json!({"location": "eastus"}),
            Some(json!({"tags": {"a": "b"}})),
        ),
    ];
    for (path, body, patch) in &things {
        let etag = house.get(path).expect(200).header("etag").to_owned();
        let put = |headers: &[(&str, &str)]| house.send(Method::PUT, path, headers, body.clone());
        put(&[("if-match", "\"0x1\"")]).error(412, "PreconditionFailed");
        put(&[("if-none-match", "*")]).error(412, "PreconditionFailed");
        put(&[("if-none-match", &etag)]).error(412, "PreconditionFailed");
        put(&[("if-match", &etag)]).expect(200);
        put(&[("if-match", "*")]).expect(200);
        let fresh = format!("{path}2");
        house
            .send(Method::PUT, &fresh, &[("if-match", "*")], body.clone())
            .error(412, "PreconditionFailed");
        house.get(&fresh).expect(404);
        house
            .send(Method::PUT, &fresh, &[("if-none-match", "*")], body.clone())
            .expect(200);
        if let Some(patch) = patch {
            let patched = |headers: &[(&str, &str)]| house.send(Method::PATCH, path, headers, patch.clone());
            patched(&[("if-match", "\"0x1\"")]).error(412, "PreconditionFailed");
            assert_eq!(house.get(path).header("etag"), etag);
            assert_ne!(patched(&[("if-match", &etag)]).expect(200).header("etag"), etag);
        }
    }
    for (path, _, _) in &things {
        let delete = |headers: &[(&str, &str)]| house.send(Method::DELETE, path, headers, Value::Null);
        delete(&[("if-match", "\"0x1\"")]).error(412, "PreconditionFailed");
        let etag = house.get(path).expect(200).header("etag").to_owned();
        let gone = delete(&[("if-match", &etag)]);
        assert!([200, 202].contains(&gone.status), "{path}: {}", gone.status);
        house.pump();
        house.get(path).expect(404);
    }
}

#[test]
fn nothing_goes_into_what_is_being_deleted() {
    let fill = |house: &House| {
        house
            .put("~/clusters/new", cluster(0))
            .error(409, "WorkspaceBeingDeleted");
        house
            .put("~/fileServers/new", server())
            .error(409, "WorkspaceBeingDeleted");
        house
            .put("~/experiments/new", Value::Null)
            .error(409, "WorkspaceBeingDeleted");
        house
            .put(&job_path("new"), job("true"))
            .error(409, "WorkspaceBeingDeleted");
        house
            .put("~", json!({"location": "eastus"}))
            .error(409, "WorkspaceBeingDeleted");
        house
            .patch("~", json!({"tags": {}}))
            .error(409, "WorkspaceBeingDeleted");
    };
    let running = || {
        let house = House::furnished(1);
        house.engine.state().stubborn = true;
        house.submit("j");
        house.pump();
        house
    };
    let house = running();
    house.delete("~").expect(202);
    fill(&house);
    house.pump();
    fill(&house);
    assert_eq!(
        house.get("~").expect(200).json()["properties"]["provisioningState"],
        "deleting"
    );

    let house = running();
    house.delete("~/experiments/e").expect(202);
    house
        .put(&job_path("new"), job("true"))
        .error(409, "ExperimentBeingDeleted");
    house
        .put("~/experiments/e", Value::Null)
        .error(409, "ExperimentBeingDeleted");

    let house = running();
    house.delete("~/clusters/c").expect(202);
    house
        .put(&job_path("new"), job("true"))
        .error(409, "ClusterBeingDeleted");
    house
        .put("~/clusters/c", cluster(1))
        .error(409, "ClusterBeingDeleted");
    house
        .patch("~/clusters/c", json!({"properties": {}}))
        .error(409, "ClusterBeingDeleted");

    let house = running();
    house.delete(&job_path("j")).expect(202);
    house
        .put(&job_path("j"), job("true"))
        .error(409, "JobBeingDeleted");

    let house = running();
    let group = format!("/subscriptions/{}/resourceGroups/rg", crate::house::SUBSCRIPTION);
    house.delete(&group).expect(202);
    house
        .put(&group, json!({"location": "eastus"}))
        .error(409, "ResourceGroupBeingDeleted");
    house
        .put("~2", json!({"location": "eastus"}))
        .error(409, "ResourceGroupBeingDeleted");
    // Before any round of the reconcilers, and beneath workspaces that have not heard of it yet.
    house
        .put("~/clusters/new", cluster(0))
        .error(409, "ResourceGroupBeingDeleted");
    house
        .put("~/fileServers/new", server())
        .error(409, "ResourceGroupBeingDeleted");
    house
        .put("~/experiments/new", Value::Null)
        .error(409, "ResourceGroupBeingDeleted");
    house
        .put(&job_path("new"), job("true"))
        .error(409, "ResourceGroupBeingDeleted");
}

#[test]
fn a_name_used_again_is_a_new_thing() {
    let house = House::furnished(0);
    let put = || house.put(&job_path("j"), job("true")).expect(200);
    let first = put();
    house.seconds(1);
    house.delete(&job_path("j")).expect(200);
    house.get(&job_path("j")).error(404, "JobNotFound");
    let second = put();
    let segment = |answer: &Answer| answer.json()["properties"]["jobOutputDirectoryPathSegment"].clone();
    assert_ne!(segment(&first), segment(&second));
    assert_ne!(tag(&first), tag(&second));
}
