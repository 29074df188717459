//! Imports of old deployments: what is made, what is left out and why, and that an undo takes exactly that away.

use std::fs;

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::{Answer, House, SECRET, SUBSCRIPTION, cluster, job, local};

const AT: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/old/providers/\
                  Microsoft.BatchAI/workspaces/migrated-eastus";

fn item(kind: &str, name: &str, properties: Value) -> Value {
    json!({"kind": kind, "resourceGroup": "old", "workspace": "migrated-eastus", "location": "eastus",
        "name": name, "version": "2018-05-01", "body": {"properties": properties}})
}

/// A cluster as it is exported: without secrets, with what is read-only.
fn old_cluster(name: &str) -> Value {
    let mut properties = cluster(0)["properties"].clone();
    properties["userAccountSettings"] = json!({"adminUserName": "u"});
    properties["nodeSetup"]["mountVolumes"]["azureFileShares"][0]["credentials"] = json!({});
    properties["creationTime"] = "2018-03-01T00:00:00Z".into();
    properties["provisioningStateTransitionTime"] = "2018-03-01T00:00:01.5Z".into();
    item("cluster", name, properties)
}

fn old_job(name: &str) -> Value {
    let properties = json!({
        "cluster": {"id": format!("{AT}/clusters/c")},
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
        "outputDirectories": [{"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "m"}],
        "customToolkitSettings": {"commandLine": "true"},
        "secrets": [{"name": "S"}],
        "jobOutputDirectoryPathSegment": format!("s/old/jobs/{name}/u"),
        "creationTime": "2018-03-02T00:00:00Z",
        "provisioningStateTransitionTime": "2018-03-02T00:00:01Z",
        "executionState": "failed",
        "executionStateTransitionTime": "2018-03-02T00:10:00Z",
        "executionInfo": {"startTime": "2018-03-02T00:00:02Z", "endTime": "2018-03-02T00:10:00Z", "exitCode": 3,
            "errors": [{"code": "JobFailed", "message": "it failed", "details": [{"name": "n", "value": "v"}]}]}
    });
    let mut item = item("job", name, properties);
    item["experiment"] = "migrated".into();
    item
}

fn old_file_server(name: &str) -> Value {
    item(
        "fileServer",
        name,
        json!({
            "vmSize": "STANDARD_D1",
            "sshConfiguration": {"userAccountSettings": {"adminUserName": "u"}},
            "dataDisks": {"diskSizeInGB": 10, "diskCount": 1, "storageAccountType": "Standard_LRS"},
            "creationTime": "2018-02-28T00:00:00Z"
        }),
    )
}

fn send(house: &House, id: &str, check: bool, items: Vec<Value>) -> Answer {
    let body = json!({"id": id, "subscription": SUBSCRIPTION, "check": check, "items": items});
    house.send(Method::POST, "/trainyard/imports", &[], body)
}

fn outcomes(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["outcome"].as_str().unwrap().to_owned())
        .collect()
}

fn import(house: &House, items: Vec<Value>) -> Vec<String> {
    outcomes(&send(house, "one", false, items).expect(200).json())
}

fn why(house: &House, item: Value) -> String {
    let answer = send(house, "one", false, vec![item]).expect(200).json();
    assert_eq!(answer["items"][0]["outcome"], "leftOut", "{answer}");
    answer["items"][0]["reason"].as_str().unwrap().to_owned()
}

fn undo(house: &House, id: &str) -> Value {
    house
        .delete(&format!("/trainyard/imports/{id}"))
        .expect(200)
        .json()
}

fn left(undone: &Value) -> Vec<(String, String)> {
    let name = |left: &Value| {
        left["id"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    let why = |left: &Value| left["reason"].as_str().unwrap().to_owned();
    undone["left"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| (name(left), why(left)))
        .collect()
}

fn all() -> Vec<Value> {
    vec![old_file_server("f"), old_cluster("c"), old_job("j")]
}

#[test]
fn what_is_imported_has_its_past_and_its_files() {
    let house = House::bare();
    assert_eq!(import(&house, all()), ["made", "made", "made"]);
    let found = house
        .get(&format!("{AT}/experiments/migrated/jobs/j"))
        .expect(200)
        .json()["properties"]
        .clone();
    assert_eq!(found["executionState"], "failed");
    assert_eq!(
        found["executionInfo"],
        old_job("j")["body"]["properties"]["executionInfo"]
    );
    assert_eq!(found["creationTime"], "2018-03-02T00:00:00Z");
    assert_eq!(found["provisioningStateTransitionTime"], "2018-03-02T00:00:01Z");
    assert_eq!(found["executionStateTransitionTime"], "2018-03-02T00:10:00Z");
    assert_eq!(found["jobOutputDirectoryPathSegment"], "s/old/jobs/j/u");
    assert_eq!(found["secrets"], json!([{"name": "S"}]));
    let made = house.get(&format!("{AT}/clusters/c")).expect(200).json()["properties"].clone();
    assert_eq!(
        (&made["creationTime"], &made["allocationState"]),
        (&json!("2018-03-01T00:00:00Z"), &json!("steady"))
    );
    house.get(&format!("{AT}/fileServers/f")).expect(200);
    for (directory, below) in [
        ("stdouterr", "stdouterr/stdout.txt"),
        ("MODEL", "outputs/m/model.bin"),
    ] {
        let file = house
            .storage()
            .join("acct/files/share/s/old/jobs/j/u")
            .join(below);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, directory).unwrap();
        let path = format!("{AT}/experiments/migrated/jobs/j/listOutputFiles?outputdirectoryid={directory}");
        let files = house.post(&path).expect(200).json();
        let link = local(files["value"][0]["downloadUrl"].as_str().unwrap()).to_owned();
        assert_eq!(
            house.raw(Method::GET, &link, &[], vec![]).expect(200).body,
            directory.as_bytes()
        );
    }
}

#[test]
fn the_files_of_the_preview_lie_right_in_the_segment() {
    let house = House::bare();
    let mut job = old_job("j");
    job["body"]["previewLayout"] = true.into();
    job["body"]["properties"]["jobOutputDirectoryPathSegment"] = "s/old/jobs/j".into();
    import(&house, vec![old_cluster("c"), job]);
    let file = house.storage().join("acct/files/share/s/old/jobs/j/stdout.txt");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "old").unwrap();
    let path = format!("{AT}/experiments/migrated/jobs/j/listOutputFiles?outputdirectoryid=stdouterr");
    assert_eq!(house.post(&path).expect(200).names(), ["stdout.txt"]);
}

#[test]
fn a_check_makes_nothing_and_says_what_an_import_would() {
    let house = House::bare();
    let foreseen = send(&house, "one", true, all()).expect(200).json();
    assert_eq!(outcomes(&foreseen), ["made", "made", "made"]);
    let notes = foreseen["items"][1]["notes"].to_string();
    assert!(
        notes.contains("adminUserPassword") && notes.contains("azureFileShares[0].credentials.accountKey"),
        "{notes}"
    );
    house.get(AT).expect(404);
    import(&house, all());
    let again = send(&house, "one", true, all()).expect(200).json();
    assert_eq!(outcomes(&again), ["already", "already", "already"]);
}

#[test]
fn a_batch_that_comes_again_makes_nothing_twice() {
    let house = House::bare();
    import(&house, all());
    let before = house.get(&format!("{AT}/experiments/migrated/jobs")).json();
    assert_eq!(import(&house, all()), ["already", "already", "already"]);
    assert_eq!(
        house.get(&format!("{AT}/experiments/migrated/jobs")).json(),
        before
    );
    let other = send(&house, "two", false, all()).expect(200).json();
    assert_eq!(outcomes(&other), ["found", "found", "found"]);
    assert_eq!(undo(&house, "two"), json!({"removed": [], "left": []}));
    let folders = fs::read_dir(house.folder.path().join("file-servers"))
        .unwrap()
        .count();
    assert_eq!(folders, 1, "folders of file servers that were not made are left");
}

#[test]
fn what_is_another_one_under_the_same_name_is_left_out() {
    let house = House::bare();
    import(&house, all());
    let changed = |mut item: Value, at: &str, to: Value| {
        *item.pointer_mut(at).unwrap() = to;
        item
    };
    let cluster = changed(old_cluster("c"), "/body/properties/vmSize", "STANDARD_D4".into());
    assert_eq!(
        why(&house, cluster),
        "a cluster of this name is there and is another one"
    );
    let server = changed(
        old_file_server("f"),
        "/body/properties/dataDisks/diskCount",
        2.into(),
    );
    assert_eq!(
        why(&house, server),
        "a file server of this name is there and is another one"
    );
    for (at, to) in [
        ("/body/properties/nodeCount", json!(2)),
        ("/body/properties/executionState", json!("succeeded")),
        ("/body/properties/executionInfo/exitCode", json!(4)),
    ] {
        assert_eq!(
            why(&house, changed(old_job("j"), at, to)),
            "a job of this name is there and is another one"
        );
    }
    let moved = changed(old_job("k"), "/location", "westus".into());
    assert_eq!(
        why(&house, moved),
        "the workspace migrated-eastus is there in the region eastus, not westus"
    );
    // A cluster that was resized meanwhile is the same.
    let scale = json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 1}}}});
    house.patch(&format!("{AT}/clusters/c"), scale).expect(200);
    assert_eq!(import(&house, vec![old_cluster("c")]), ["already"]);
}

#[test]
fn one_bad_item_leaves_the_others_alone_and_makes_nothing() {
    let house = House::bare();
    let changed = |at: &str, to: Value| {
        let mut item = old_job("bad");
        item["workspace"] = "elsewhere".into();
        *item.pointer_mut(at).unwrap() = to;
        item
    };
    for (item, reason) in [
        (
            changed("/body/properties/executionState", "running".into()),
            "executionState: This job is not over.",
        ),
        (changed("/body/properties/nodeCount", 0.into()), "nodeCount: "),
        (changed("/name", "a/b".into()), "name: "),
        (changed("/experiment", Value::Null), "experiment: "),
        (
            changed("/body/properties/creationTime", "then".into()),
            "creationTime: This is not a time.",
        ),
        (
            changed(
                "/body/properties/jobOutputDirectoryPathSegment",
                "a/../../b".into(),
            ),
            "jobOutputDirectoryPathSegment: ",
        ),
        (changed("/body", Value::Null), "This member has the wrong type."),
    ] {
        let answer = send(&house, "one", false, vec![item, old_cluster("c")])
            .expect(200)
            .json();
        let shown = answer["items"][0]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(shown.starts_with(reason), "{reason}: {answer}");
        assert_ne!(answer["items"][1]["outcome"], "leftOut");
    }
    let mut unknown = old_cluster("d");
    unknown["body"]["properties"]["vmSize"] = "STANDARD_X".into();
    unknown["workspace"] = "elsewhere".into();
    assert!(why(&house, unknown).contains("STANDARD_X"));
    let mut unknown = old_file_server("d");
    unknown["body"]["properties"]["vmSize"] = "STANDARD_X".into();
    unknown["workspace"] = "elsewhere".into();
    assert!(why(&house, unknown).contains("STANDARD_X"));
    assert!(house.folder_names().is_empty());
    house.get(&AT.replace("migrated-eastus", "elsewhere")).expect(404);
}

#[test]
fn a_bad_batch_is_refused_whole() {
    let house = House::bare();
    let many = (0..101).map(|i| old_job(&format!("j{i}"))).collect();
    assert_eq!(
        send(&house, "one", false, many).expect(400).json()["error"]["target"],
        "items"
    );
    for id in ["", "a/b", &"x".repeat(65)] {
        assert_eq!(
            send(&house, id, false, all()).expect(400).json()["error"]["target"],
            "id"
        );
    }
    let body = json!({"id": "one", "subscription": "11111111-0000-0000-0000-000000000000", "items": all()});
    house
        .send(Method::POST, "/trainyard/imports", &[], body)
        .expect(404);
    let body = json!({"id": "one", "subscription": SUBSCRIPTION, "items": [{"kind": "dream"}]});
    house
        .send(Method::POST, "/trainyard/imports", &[], body)
        .expect(400);
    house.delete("/trainyard/imports/one?after=x").expect(400);
    house.get(AT).expect(404);
}

#[test]
fn secrets_given_in_the_export_are_kept_and_not_shown() {
    let house = House::bare();
    let mut given = old_cluster("c");
    given["body"]["properties"]["userAccountSettings"]["adminUserPassword"] = format!("{SECRET}-x").into();
    let answer = send(&house, "one", false, vec![given]).expect(200).json();
    assert!(
        !answer["items"][0]["notes"]
            .to_string()
            .contains("adminUserPassword")
    );
    house.get(&format!("{AT}/clusters/c")).expect(200);
}

#[test]
fn a_job_without_its_cluster_is_imported_with_a_word_about_its_files() {
    let house = House::bare();
    let answer = send(&house, "one", false, vec![old_job("j")]).expect(200).json();
    assert_eq!(
        answer["items"][0]["notes"],
        json!(["its cluster is not here, so its stdout cannot be listed"])
    );
    house.pump();
    house.full_pump();
    assert_eq!(import(&house, vec![old_job("j")]), ["already"]);
}

#[test]
fn an_undo_takes_everything_away_that_the_import_made() {
    let house = House::bare();
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/old");
    let mut many = all();
    many.extend((0..97).map(|i| old_job(&format!("j{i}"))));
    import(&house, many);
    import(&house, (0..50).map(|i| old_job(&format!("k{i}"))).collect());
    let first = undo(&house, "one");
    let next = first["next"].as_str().unwrap();
    let rest = house
        .delete(&format!("/trainyard/imports/one?after={next}"))
        .expect(200)
        .json();
    let count = |page: &Value| page["removed"].as_array().unwrap().len();
    // 148 jobs, cluster, file server, experiment, workspace and group.
    assert_eq!((count(&first), count(&rest)), (100, 53));
    assert_eq!(
        (rest.get("next"), rest["left"].as_array().unwrap().len()),
        (None, 0)
    );
    house.get(&group).expect(404);
    // Nothing is kept of what is gone.
    assert_eq!(undo(&house, "one"), json!({"removed": [], "left": []}));
    house.pump();
    assert!(house.folder_names().is_empty());
    assert_eq!(import(&house, all()), ["made", "made", "made"]);
}

#[test]
fn an_undo_leaves_what_was_there_before() {
    let house = House::bare();
    house.group("old");
    house.put(AT, json!({"location": "eastus"})).expect(200);
    let mut own = cluster(0);
    own["properties"]["userAccountSettings"] =
        json!({"adminUserName": "u", "adminUserPassword": format!("{SECRET}")});
    house.put(&format!("{AT}/clusters/c"), own).expect(200);
    assert_eq!(import(&house, all()), ["made", "found", "made"]);
    assert!(left(&undo(&house, "one")).is_empty());
    house.get(&format!("{AT}/clusters/c")).expect(200);
    house.get(&format!("{AT}/fileServers/f")).expect(404);
    house.get(&format!("{AT}/experiments/migrated")).expect(404);
}

#[test]
fn an_undo_leaves_what_users_added_or_changed_and_what_that_needs() {
    let house = House::bare();
    let mut items = all();
    items.push(old_cluster("d"));
    items.push(old_file_server("g"));
    import(&house, items);
    // A job of a user's on one cluster, a resize of the other, files in a folder.
    let mut own = job("true");
    own["properties"]["cluster"]["id"] = format!("{AT}/clusters/c").into();
    house
        .put(&format!("{AT}/experiments/migrated/jobs/own"), own)
        .expect(200);
    let scale = json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 1}}}});
    house.patch(&format!("{AT}/clusters/d"), scale).expect(200);
    let folders = house.folder.path().join("file-servers");
    let folder = fs::read_dir(&folders).unwrap().next().unwrap().unwrap().path();
    fs::write(folder.join("data"), "x").unwrap();

    let undone = undo(&house, "one");
    let mut stays = left(&undone);
    let server = stays.remove(2);
    assert_eq!(server.1, "its folder holds files");
    let expected = [
        ("c", "it has jobs that the import did not make"),
        ("d", "it was changed since the import"),
        ("migrated", "it has jobs"),
        ("migrated-eastus", "it is not empty"),
        ("old", "it is not empty"),
    ];
    assert_eq!(
        stays,
        expected.map(|(name, why)| (name.to_owned(), why.to_owned()))
    );
    assert_eq!(undone["removed"].as_array().unwrap().len(), 2, "{undone}");
    house
        .get(&format!("{AT}/experiments/migrated/jobs/own"))
        .expect(200);
    house
        .get(&format!("{AT}/experiments/migrated/jobs/j"))
        .expect(404);

    // When the users are done, the rest goes too.
    house
        .delete(&format!("{AT}/experiments/migrated/jobs/own"))
        .expect(200);
    fs::remove_file(folder.join("data")).unwrap();
    house.delete(&format!("{AT}/clusters/d"));
    house.pump();
    assert!(left(&undo(&house, "one")).is_empty());
    house
        .get(&format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/old"))
        .expect(404);
}

#[test]
fn an_undo_leaves_a_file_server_that_a_cluster_of_a_user_mounts() {
    let house = House::bare();
    import(&house, all());
    let mut own = cluster(0);
    own["properties"]["nodeSetup"]["mountVolumes"] = json!({"fileServers": [
        {"fileServer": {"id": format!("{AT}/fileServers/f")}, "relativeMountPath": "nfs"}
    ]});
    house.put(&format!("{AT}/clusters/own"), own).expect(200);
    let stays = left(&undo(&house, "one"));
    assert_eq!(
        stays[0],
        ("f".to_owned(), "a cluster or a job mounts it".to_owned())
    );
    assert_eq!(stays.len(), 3, "{stays:?}");
}

#[test]
fn a_cluster_comes_with_its_file_server_or_not_at_all() {
    let house = House::bare();
    let mut mounting = old_cluster("c");
    mounting["body"]["properties"]["nodeSetup"]["mountVolumes"] = json!({"fileServers": [
        {"fileServer": {"id": format!("{AT}/fileservers/f")}, "relativeMountPath": "nfs"}
    ]});
    assert!(why(&house, mounting.clone()).contains("file server f is not found"));
    house.get(AT).expect(404);
    assert_eq!(
        import(&house, vec![old_file_server("f"), mounting]),
        ["made", "made"]
    );
    assert!(left(&undo(&house, "one")).is_empty());
}

#[test]
fn an_import_takes_the_rights_that_making_it_by_hand_takes() {
    let house = House::bare();
    let token = |role: &str, scope: &str| {
        let body = json!({"name": "t", "role": role, "scope": scope});
        let made = house
            .send(Method::POST, "/trainyard/tokens", &[], body)
            .expect(201)
            .json();
        made["token"].as_str().unwrap().to_owned()
    };
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/old");
    let (reader, stranger) = (
        token("Reader", &group),
        token("Contributor", &group.replace("old", "other")),
    );
    let (workspace, contributor) = (token("Contributor", AT), token("Contributor", &group));
    for (token, status) in [
        (reader.clone(), 403),
        (stranger.clone(), 403),
        (workspace, 403),
        (contributor.clone(), 200),
    ] {
        house.token.replace(token);
        send(&house, "one", false, all()).expect(status);
    }
    for (token, status) in [(reader, 403), (stranger, 403), (contributor, 200)] {
        house.token.replace(token);
        send(&house, "one", false, vec![old_job("k")]).expect(status);
        send(&house, "one", true, all()).expect(status);
        house.delete("/trainyard/imports/one").expect(status);
    }
}

#[test]
fn a_job_does_not_tell_whether_a_cluster_out_of_reach_is_there() {
    let house = House::bare();
    import(&house, vec![old_cluster("c")]);
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/mine");
    let body = json!({"name": "t", "role": "Contributor", "scope": group});
    let made = house
        .send(Method::POST, "/trainyard/tokens", &[], body)
        .expect(201)
        .json();
    house.token.replace(made["token"].as_str().unwrap().to_owned());
    let answer = |cluster: &str| {
        let mut job = old_job("j");
        job["resourceGroup"] = "mine".into();
        job["body"]["properties"]["cluster"]["id"] = format!("{AT}/clusters/{cluster}").into();
        let answer = send(&house, "two", false, vec![job]).expect(200).json();
        undo(&house, "two");
        answer
    };
    assert_eq!(answer("c"), answer("none"));
}

#[test]
fn the_trail_says_who_imported_and_who_undid() {
    let house = House::bare();
    import(&house, all());
    undo(&house, "one");
    let events = house.ports.store.read(|s| s.events(0, 100)).unwrap();
    let of = |action: &str| events.iter().filter(|(_, event)| event.action == action).count();
    assert_eq!(
        (of("Trainyard/imports/write"), of("Trainyard/imports/delete")),
        (6, 6)
    );
}

#[test]
fn what_only_the_older_versions_can_say_is_kept() {
    let house = House::bare();
    let flat = |mut item: Value| {
        item["version"] = "2018-03-01".into();
        item["body"]["location"] = "eastus".into();
        item["body"]["tags"] = json!({"team": "t"});
        item
    };
    let mut old = flat(old_job("j"));
    let properties = &mut old["body"]["properties"];
    properties["priority"] = (-7).into();
    properties["experimentName"] = "a label".into();
    properties["outputDirectories"][0]["type"] = "model".into();
    properties["executionInfo"]["errors"] = json!([{"code": "JobTerminate", "message": "it was"}]);
    assert_eq!(
        import(&house, vec![flat(old_cluster("c")), old]),
        ["made", "made"]
    );
    let group = AT.rsplit_once("/workspaces").unwrap().0;
    let at = |kind: &str, version: &str| {
        let answer = house
            .get(&format!("{group}/{kind}?api-version={version}"))
            .expect(200);
        answer.json()
    };
    assert_eq!(at("clusters/c", "2018-03-01")["tags"], json!({"team": "t"}));
    let found = at("jobs/j", "2018-03-01");
    assert_eq!(found["tags"], json!({"team": "t"}));
    let found = &found["properties"];
    assert_eq!(
        (&found["priority"], &found["experimentName"]),
        (&json!(-7), &json!("a label"))
    );
    assert_eq!(found["outputDirectories"][0]["type"], "model");
    assert_eq!(found["executionInfo"]["errors"][0]["code"], "JobTerminate");
    let newer = at(
        "workspaces/migrated-eastus/experiments/migrated/jobs/j",
        "2018-05-01",
    );
    assert_eq!(
        newer["properties"]["executionInfo"]["errors"][0]["code"],
        "JobTerminated"
    );
    assert_eq!(newer["properties"]["schedulingPriority"], "low");
}

#[test]
fn a_name_is_taken_once_in_all_regions_of_a_group() {
    let house = House::bare();
    import(&house, all());
    let west = |mut item: Value| {
        item["workspace"] = "migrated-westus".into();
        item["location"] = "westus".into();
        item
    };
    for item in all() {
        assert!(why(&house, west(item)).starts_with("there is one of this name in the region eastus"));
    }
    house.get(&AT.replace("eastus", "westus")).expect(404);
    // Other workspaces have name spaces of their own.
    let mut own = old_cluster("c");
    own["workspace"] = "own".into();
    assert_eq!(
        import(&house, vec![own, west(old_cluster("d"))]),
        ["made", "made"]
    );
    // The older api-versions see no jobs of other experiments.
    let beside = || {
        let mut job = old_job("j");
        job["experiment"] = "own".into();
        job
    };
    assert_eq!(import(&house, vec![beside(), west(beside())]), ["made", "made"]);
}

#[test]
fn names_with_dots_are_imported_where_they_can_be_asked_for() {
    let house = House::bare();
    assert_eq!(
        import(
            &house,
            vec![old_cluster("c.1"), old_job("j.1"), old_file_server("f.1")]
        ),
        ["made", "made", "made"]
    );
    let with = |member: &str, value: &str, mut item: Value| {
        item[member] = value.into();
        item
    };
    for item in [
        with("workspace", "own", old_cluster("c.2")),
        with("workspace", "own", old_file_server("f.2")),
        with("workspace", "o.wn", old_cluster("c")),
        with("experiment", "own", old_job("j.2")),
        with("experiment", "o.wn", old_job("j")),
        item("experiment", "e.1", json!({})),
    ] {
        let reason = why(&house, item);
        assert!(reason.starts_with("name: A dot"), "{reason}");
    }
    assert!(left(&undo(&house, "one")).is_empty());
}

#[test]
fn times_at_the_ends_of_time_break_nothing() {
    let house = House::bare();
    for time in [
        "-009999-01-02T01:59:59Z",
        "1969-12-31T23:59:59Z",
        "9999-12-30T22:00:00.999Z",
        "9000-01-01T00:00:00Z",
    ] {
        for at in [
            "/creationTime",
            "/executionStateTransitionTime",
            "/executionInfo/endTime",
        ] {
            let mut job = old_job("j");
            *job["body"]["properties"].pointer_mut(at).unwrap() = time.into();
            let reason = why(&house, job);
            assert!(reason.contains("This is not a time"), "{reason}");
        }
    }
    for (name, time) in [("a", "1970-01-01T00:00:00Z"), ("b", "8999-12-31T23:59:59.999Z")] {
        let mut job = old_job(name);
        for at in [
            "/creationTime",
            "/executionStateTransitionTime",
            "/executionInfo/endTime",
        ] {
            *job["body"]["properties"].pointer_mut(at).unwrap() = time.into();
        }
        assert_eq!(import(&house, vec![job]), ["made"]);
    }
    house.pump();
    house.get(&format!("{AT}/experiments/migrated/jobs")).expect(200);
    assert!(left(&undo(&house, "one")).is_empty());
}

#[test]
fn a_version_that_is_not_served_is_named() {
    let house = House::bare();
    let mut item = old_cluster("c");
    item["version"] = "2016-01-01".into();
    assert!(why(&house, item).contains("2016-01-01"));
}

#[test]
fn the_first_put_of_an_imported_cluster_brings_its_secrets_and_nodes() {
    let house = House::bare();
    let mut exported = old_cluster("c");
    exported["body"]["properties"]["subnet"] = json!({"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n"});
    import(&house, vec![exported]);
    let at = format!("{AT}/clusters/c");
    let mut other = cluster(2);
    other["properties"]["vmSize"] = "STANDARD_D4".into();
    house.put(&at, other).error(409, "ClusterAlreadyExists");
    let mut somebody = cluster(2);
    somebody["properties"]["userAccountSettings"]["adminUserName"] = "somebody".into();
    house.put(&at, somebody).error(409, "ClusterAlreadyExists");

    let made = house.put(&at, cluster(2)).expect(200).json();
    assert_eq!(
        made["properties"]["scaleSettings"]["manual"]["targetNodeCount"],
        2
    );
    house.pump();
    assert_eq!(house.get(&at).json()["properties"]["currentNodeCount"], 2);
    // Now it is a cluster like any other.
    let mut wrong = cluster(2);
    wrong["properties"]["userAccountSettings"]["adminUserPassword"] = format!("{SECRET}-other").into();
    house.put(&at, wrong).error(409, "ClusterAlreadyExists");
    house
        .patch(
            &at,
            json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 0}}}}),
        )
        .expect(200);
    assert_eq!(
        left(&undo(&house, "one"))[0],
        ("c".to_owned(), "it was changed since the import".to_owned())
    );
}

#[test]
fn a_cluster_that_was_not_imported_is_completed_by_nobody() {
    let house = House::furnished(0);
    let with = |secret: &str| {
        let mut body = cluster(0);
        body["properties"]["nodeSetup"]["setupTask"] = json!({"commandLine": "true",
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "secrets": [{"name": "S", "value": secret}]});
        body
    };
    house.put("~/clusters/own", with("")).expect(200);
    house
        .put("~/clusters/own", with(&format!("{SECRET}-now")))
        .error(409, "ClusterAlreadyExists");
}
