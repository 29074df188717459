//! The flat api-versions: what they make lives in `migrated-<region>` and `migrated`, and is the same thing there.

use axum::http::Method;
use serde_json::{Value, json};
use trainyard_domain::state::Verdict;

use crate::house::{Answer, House, SECRET, SUBSCRIPTION, cluster, job, local, share};

const OLD: &str = "api-version=2018-03-01";
const OLDEST: &str = "api-version=2017-09-01-preview";
const NEW: &str = "api-version=2018-05-01";
const GROUP: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.BatchAI";
const WORKSPACE: &str = "workspaces/migrated-westus";

/// A path beneath the group in a version.
fn at(path: &str, version: &str) -> String {
    format!(
        "{GROUP}/{path}{}{version}",
        if path.contains('?') { '&' } else { '?' }
    )
}

/// A house with a group and nothing else.
fn empty() -> House {
    let house = House::bare();
    house.group("rg");
    house
}

fn located(mut body: Value) -> Value {
    body["location"] = json!("West US");
    body
}

fn flat_cluster() -> Value {
    let mut body = located(cluster(1));
    body["tags"] = json!({"owner": "me"});
    body["properties"]["nodeSetup"]["setupTask"] =
        json!({"commandLine": "true", "stdOutErrPathPrefix": "/tmp", "runElevated": true});
    body["properties"]["userAccountSettings"]["adminUserSSHPublicKey"] = json!("ssh-rsa AAAA");
    body
}

fn flat_job() -> Value {
    let mut body = located(job("true"));
    let properties = &mut body["properties"];
    properties["cluster"]["id"] = json!(format!("{GROUP}/clusters/c"));
    properties["priority"] = json!(5);
    properties["experimentName"] = json!("my label");
    properties["schedulingPriority"] = json!("nonsense that this version does not know");
    properties["outputDirectories"] = json!([
        {"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "m", "type": "model"},
        {"id": "GIVEN", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "given", "createNew": false}
    ]);
    body
}

fn file_server() -> Value {
    located(json!({"properties": {
        "vmSize": "STANDARD_D1",
        "sshConfiguration": {"userAccountSettings":
            {"adminUserName": "u", "adminUserPassword": format!("{SECRET}-p"), "adminUserSshPublicKey": "ssh-rsa A"}},
        "dataDisks": {"diskSizeInGB": 1, "diskCount": 1, "storageAccountType": "Standard_LRS"}
    }}))
}

/// A group with a cluster, a file server and a job, all made flat.
fn furnished() -> House {
    let house = empty();
    house.put(&at("clusters/c", OLD), flat_cluster()).expect(200);
    house.put(&at("fileServers/f", OLD), file_server()).expect(200);
    house.put(&at("jobs/j", OLD), flat_job()).expect(200);
    house
}

fn names(answer: &Answer) -> Vec<String> {
    answer.names()
}

#[test]
fn what_is_made_flat_is_there_with_its_workspace() {
    let house = furnished();
    let shown = house
        .get(&at(&format!("{WORKSPACE}/clusters/c"), NEW))
        .expect(200)
        .json();
    assert_eq!(shown["id"], format!("{GROUP}/{WORKSPACE}/clusters/c"));
    assert_eq!(shown["type"], "Microsoft.BatchAI/workspaces/clusters");
    assert!(shown.get("location").is_none() && shown.get("tags").is_none());
    assert!(
        shown["properties"]["nodeSetup"]["setupTask"]
            .get("runElevated")
            .is_none()
    );

    let shown = house
        .get(&at(&format!("{WORKSPACE}/experiments/migrated/jobs/j"), NEW))
        .expect(200)
        .json();
    assert_eq!(
        shown["properties"]["cluster"]["id"],
        format!("{GROUP}/{WORKSPACE}/clusters/c")
    );
    assert_eq!(shown["properties"]["schedulingPriority"], "high");
    assert_eq!(shown["properties"]["experimentName"], "migrated");
    let output = &shown["properties"]["outputDirectories"][0];
    assert!(output.get("type").is_none() && output.get("createNew").is_none());

    house
        .get(&at(&format!("{WORKSPACE}/fileServers/f"), NEW))
        .expect(200);
    let workspace = house.get(&at(WORKSPACE, NEW)).expect(200).json();
    assert_eq!(
        (&workspace["name"], &workspace["location"]),
        (&json!("migrated-westus"), &json!("westus"))
    );
}

#[test]
fn what_was_said_in_an_older_version_is_shown_there_again() {
    let house = furnished().restart();
    let shown = house.get(&at("clusters/c", OLD)).expect(200).json();
    assert_eq!(shown["id"], format!("{GROUP}/clusters/c"));
    assert_eq!(shown["type"], "Microsoft.BatchAI/Clusters");
    assert_eq!(
        (&shown["location"], &shown["tags"]),
        (&json!("westus"), &json!({"owner": "me"}))
    );
    let properties = &shown["properties"];
    assert_eq!(properties["nodeSetup"]["setupTask"]["runElevated"], true);
    assert_eq!(
        properties["userAccountSettings"]["adminUserSSHPublicKey"],
        "ssh-rsa AAAA"
    );
    let suffix = properties["nodeSetup"]["setupTask"]["stdOutErrPathSuffix"]
        .as_str()
        .unwrap();
    assert!(
        suffix.starts_with(&format!("{SUBSCRIPTION}/rg/clusters/c/")),
        "{suffix}"
    );

    let shown = house.get(&at("jobs/j", OLD)).expect(200).json();
    assert_eq!(
        (&shown["type"], shown.get("location")),
        (&json!("Microsoft.BatchAI/Jobs"), None)
    );
    let properties = &shown["properties"];
    assert_eq!(
        (&properties["priority"], &properties["experimentName"]),
        (&json!(5), &json!("my label"))
    );
    assert_eq!(properties["cluster"]["id"], format!("{GROUP}/clusters/c"));
    assert_eq!(properties["outputDirectories"][0]["type"], "model");
    assert_eq!(properties["outputDirectories"][1]["createNew"], false);
    assert!(properties.get("schedulingPriority").is_none());
    let segment = properties["jobOutputDirectoryPathSegment"].as_str().unwrap();
    assert!(
        segment.starts_with(&format!("{SUBSCRIPTION}/rg/jobs/j/")),
        "{segment}"
    );

    let shown = house.get(&at("fileServers/f", OLD)).expect(200).json();
    assert_eq!(shown["id"], format!("{GROUP}/fileservers/f"));
    assert_eq!(shown["properties"]["mountSettings"]["fileServerType"], "nfs");
    assert_eq!(
        shown["properties"]["sshConfiguration"]["userAccountSettings"]["adminUserSSHPublicKey"],
        "ssh-rsa A"
    );

    let oldest = house.get(&at("jobs/j", OLDEST)).expect(200).json();
    assert!(
        oldest["properties"]
            .get("jobOutputDirectoryPathSegment")
            .is_none()
    );
    assert!(oldest["properties"].get("secrets").is_none());
}

#[test]
fn a_second_put_changes_nothing_whichever_version_asks() {
    let house = furnished();
    for (path, body) in [
        ("clusters/c", flat_cluster()),
        ("fileServers/f", file_server()),
        ("jobs/j", flat_job()),
    ] {
        let tag = house.get(&at(path, OLD)).header("etag").to_owned();
        assert_eq!(house.put(&at(path, OLD), body).expect(200).header("etag"), tag);
    }
    // The same wishes in 2018-05-01: what it cannot say stays, what it says otherwise is the same.
    let mut again = flat_job();
    again["properties"]["schedulingPriority"] = json!("high");
    again["properties"]["cluster"]["id"] = json!(format!("{GROUP}/{WORKSPACE}/clusters/c"));
    let nested = at(&format!("{WORKSPACE}/experiments/migrated/jobs/j"), NEW);
    house.put(&nested, again.clone()).expect(200);
    again["properties"]["schedulingPriority"] = json!("low");
    house.put(&nested, again).error(409, "JobAlreadyExists");
    house
        .put(&at(&format!("{WORKSPACE}/clusters/c"), NEW), flat_cluster())
        .expect(200);
    assert_eq!(house.get(&at("jobs/j", OLD)).json()["properties"]["priority"], 5);
    let mut other = flat_job();
    other["properties"]["priority"] = json!(6);
    house
        .put(&at("jobs/j", OLD), other)
        .error(409, "JobAlreadyExists");
}

#[test]
fn what_is_made_in_the_migrated_workspace_is_there_flat_and_nothing_else_is() {
    let house = House::furnished(1);
    house
        .put(&crate::house::job_path("hidden"), job("true"))
        .expect(200);
    house.put(&at("clusters/flat", OLD), flat_cluster()).expect(200);
    house
        .put(&at(&format!("{WORKSPACE}/clusters/nested"), NEW), cluster(0))
        .expect(200);
    let mut body = job("true");
    body["properties"]["cluster"]["id"] = json!(format!("{GROUP}/{WORKSPACE}/clusters/nested"));
    house
        .put(
            &at(&format!("{WORKSPACE}/experiments/migrated/jobs/j"), NEW),
            body.clone(),
        )
        .expect(200);
    house
        .put(&at(&format!("{WORKSPACE}/experiments/other"), NEW), Value::Null)
        .expect(200);
    house
        .put(&at(&format!("{WORKSPACE}/experiments/other/jobs/k"), NEW), body)
        .expect(200);
    assert_eq!(
        names(&house.get(&at("clusters", OLD)).expect(200)),
        ["flat", "nested"]
    );
    assert_eq!(names(&house.get(&at("jobs", OLD)).expect(200)), ["j"]);
    let shown = house.get(&at("jobs/j", OLD)).expect(200).json();
    assert_eq!(
        shown["properties"]["cluster"]["id"],
        format!("{GROUP}/clusters/nested")
    );
    assert_eq!(shown["properties"]["priority"], 0);
    assert!(shown["properties"].get("experimentName").is_none());
    for path in ["clusters/c", "jobs/k", "jobs/hidden"] {
        house.get(&at(path, OLD)).error(404, "ResourceNotFound");
    }
    let all = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/clusters?{OLD}");
    assert_eq!(names(&house.get(&all).expect(200)), ["flat", "nested"]);
}

#[test]
fn names_are_unique_in_a_group_whatever_the_location() {
    let house = furnished();
    let elsewhere = |mut body: Value| {
        body["location"] = json!("eastus");
        body
    };
    for (path, body) in [
        ("clusters/C", flat_cluster()),
        ("fileServers/f", file_server()),
        ("jobs/j", flat_job()),
    ] {
        let error = house
            .put(&at(path, OLD), elsewhere(body))
            .error(409, "InvalidResourceLocation");
        let message = error["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains("'westus'") && message.contains("'eastus'"),
            "{message}"
        );
    }
    // A refused PUT leaves no workspace behind.
    house
        .get(&at("workspaces/migrated-eastus", NEW))
        .error(404, "WorkspaceNotFound");
    // The newer version keeps to it as well, in workspaces that the older ones see.
    house
        .put(
            &at("workspaces/migrated-eastus", NEW),
            json!({"location": "eastus"}),
        )
        .expect(200);
    house
        .put(
            &at("workspaces/migrated-eastus/experiments/migrated", NEW),
            Value::Null,
        )
        .expect(200);
    house
        .put(&at("workspaces/migrated-eastus/clusters/c", NEW), cluster(0))
        .error(409, "InvalidResourceLocation");
    let mut nested = flat_job();
    nested["properties"]["schedulingPriority"] = json!("high");
    house
        .put(
            &at("workspaces/migrated-eastus/experiments/migrated/jobs/j", NEW),
            nested,
        )
        .error(409, "InvalidResourceLocation");
    house
        .put(&at("workspaces/migrated-eastus/clusters/d", NEW), cluster(0))
        .expect(200);
    // A workspace that has only the name is no migrated one.
    house
        .put(
            &at("workspaces/migrated-north", NEW),
            json!({"location": "south"}),
        )
        .expect(200);
    house
        .put(&at("workspaces/migrated-north/clusters/c", NEW), cluster(0))
        .expect(200);
    let mut north = flat_cluster();
    north["location"] = json!("north");
    house
        .put(&at("clusters/n", OLD), north)
        .error(409, "InvalidResourceLocation");
}

#[test]
fn what_is_not_there_is_said_as_the_resource_manager_said_it() {
    let house = furnished();
    for (path, kind) in [
        ("clusters/x", "clusters"),
        ("jobs/x", "jobs"),
        ("fileServers/x", "fileservers"),
    ] {
        let error = house.get(&at(path, OLD)).error(404, "ResourceNotFound");
        assert_eq!(
            error["message"],
            format!("The Resource 'Microsoft.BatchAI/{kind}/x' under resource group 'rg' was not found.")
        );
        house.delete(&at(path, OLDEST)).expect(204);
    }
    let absent = at("clusters/x", OLD).replace("/rg/", "/none/");
    house
        .put(&absent, flat_cluster())
        .error(404, "ResourceGroupNotFound");
    for path in ["workspaces", "workspaces/w", "workspaces/w/clusters/c"] {
        house.get(&at(path, OLD)).error(404, "InvalidResourceType");
    }
    for path in ["clusters", "jobs/j", "fileServers/f"] {
        house.get(&at(path, NEW)).error(404, "InvalidResourceType");
    }
}

#[test]
fn bad_bodies_are_named() {
    let house = furnished();
    let with = |pointer: &str, value: Value| {
        let mut body = flat_job();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for (body, target) in [
        (job("true"), "location"),
        (with("/location", json!("a.b")), "location"),
        (with("/properties/priority", json!(1001)), "properties.priority"),
        (
            with("/properties/outputDirectories/0/type", json!(3)),
            "properties.outputDirectories[0].type",
        ),
        (
            with("/properties/cluster/id", json!("/a/b")),
            "properties.cluster.id",
        ),
    ] {
        let answer = house.put(&at("jobs/new", OLD), body).expect(400).json();
        assert_eq!(answer["error"]["target"], target, "{answer}");
    }
    let mut tagged = flat_cluster();
    tagged["tags"] = json!({"": "x"});
    assert_eq!(
        house
            .put(&at("clusters/new", OLD), tagged)
            .error(400, "BadRequest")["target"],
        "tags."
    );
}

#[test]
fn names_may_have_dots_which_the_newer_version_cannot_ask_for() {
    let house = furnished();
    house.put(&at("jobs/v1.0", OLD), flat_job()).expect(200);
    house.get(&at("jobs/v1.0", OLD)).expect(200);
    let jobs = at(&format!("{WORKSPACE}/experiments/migrated/jobs"), NEW);
    assert_eq!(names(&house.get(&jobs).expect(200)), ["j", "v1.0"]);
    let nested = at(&format!("{WORKSPACE}/experiments/migrated/jobs/v1.0"), NEW);
    let message = house.get(&nested).error(400, "BadRequest")["message"].to_string();
    assert!(message.contains("api-version=2018-03-01"), "{message}");
}

#[test]
fn tags_and_scale_of_a_cluster_are_changed() {
    let house = furnished();
    let change =
        json!({"tags": {"a": "b"}, "properties": {"scaleSettings": {"manual": {"targetNodeCount": 3}}}});
    let shown = house.patch(&at("clusters/c", OLD), change).expect(200).json();
    assert_eq!(shown["tags"], json!({"a": "b"}));
    assert_eq!(
        shown["properties"]["scaleSettings"]["manual"]["targetNodeCount"],
        3
    );
    let shown = house
        .patch(&at("clusters/c", OLDEST), json!({}))
        .expect(200)
        .json();
    assert_eq!(shown["tags"], json!({"a": "b"}));
    house
        .patch(&at("clusters/c", OLD), json!({"tags": 1}))
        .error(400, "InvalidRequestContent");
}

#[test]
fn lists_are_paged_filtered_and_cut_to_members() {
    let house = furnished();
    for name in ["k", "l", "m"] {
        house
            .put(&at(&format!("jobs/{name}"), OLD), flat_job())
            .expect(200);
    }
    let first = house
        .get(&at("jobs?maxresults=2&$filter=name ne 'j'", OLD).replace(' ', "%20"))
        .expect(200);
    assert_eq!(names(&first), ["k"]);
    let next = first.json()["nextLink"].as_str().unwrap().to_owned();
    assert!(next.contains(OLD), "{next}");
    let second = house.raw(Method::GET, local(&next), &[], vec![]).expect(200);
    assert_eq!(names(&second), ["l", "m"]);
    assert!(second.json().get("nextLink").is_none());
    let few = house
        .get(&at(
            "jobs?$select=name,properties/priority&$filter=startswith(name,'k')",
            OLD,
        ))
        .expect(200);
    assert_eq!(
        few.json()["value"],
        json!([{"name": "k", "properties": {"priority": 5}}])
    );
    for bad in [
        "jobs?$filter=name%20like%20'x'",
        "clusters?$select=a,,b",
        "fileServers?$filter=(",
    ] {
        house.get(&at(bad, OLD)).error(400, "BadRequest");
    }
}

#[test]
fn operations_are_followed_in_the_version_that_began_them() {
    let house = furnished();
    house.pump();
    let begun = house.post(&at("jobs/j/terminate", OLD)).expect(202);
    assert!(
        begun
            .header("azure-asyncoperation")
            .contains("/locations/westus/operationresults/")
    );
    assert!(begun.header("location").ends_with(OLD));
    house.engine.end("j", &Verdict::Stopped);
    house.pump();
    let operation = begun.header("azure-asyncoperation").to_owned();
    let done = house.get(local(&operation)).expect(200).json();
    assert_eq!(done["status"], "Succeeded");
    assert_eq!(done["properties"]["resourceId"], format!("{SUBSCRIPTION}$rg$j"));
    let error = |version: &str| {
        house.get(&at("jobs/j", version)).json()["properties"]["executionInfo"]["errors"][0].clone()
    };
    assert_eq!(error(OLD)["code"], "JobTerminate");
    let nested = at(&format!("{WORKSPACE}/experiments/migrated/jobs/j"), NEW);
    assert_eq!(
        house.get(&nested).json()["properties"]["executionInfo"]["errors"][0]["code"],
        "JobTerminated"
    );
    house.post(&at("jobs/j/terminate", OLDEST)).expect(200);
    house.delete(&at("jobs/j", OLD)).expect(200);
    house.get(&nested).error(404, "JobNotFound");
}

#[test]
fn a_flat_mount_means_the_file_server_of_the_group() {
    let house = furnished();
    let mut body = flat_cluster();
    let id = format!("{GROUP}/fileServers/f");
    body["properties"]["nodeSetup"]["mountVolumes"]["fileServers"] =
        json!([{"fileServer": {"id": id}, "relativeMountPath": "nfs"}]);
    house.put(&at("clusters/m", OLD), body.clone()).expect(200);
    house.put(&at("clusters/m", OLD), body.clone()).expect(200);
    let mount = |path: &str, version: &str| {
        let shown = house.get(&at(path, version)).expect(200).json();
        shown["properties"]["nodeSetup"]["mountVolumes"]["fileServers"][0]["fileServer"]["id"].clone()
    };
    assert_eq!(mount("clusters/m", OLD), format!("{GROUP}/fileservers/f"));
    assert_eq!(
        mount(&format!("{WORKSPACE}/clusters/m"), NEW),
        format!("{GROUP}/{WORKSPACE}/fileservers/f")
    );
    house
        .delete(&at("fileServers/f", OLD))
        .error(409, "FileServerInUse");
    body["properties"]["nodeSetup"]["mountVolumes"]["fileServers"][0]["fileServer"]["id"] =
        json!(format!("{GROUP}/fileServers/none"));
    house
        .put(&at("clusters/n", OLD), body)
        .error(404, "FileServerNotFound");
}

#[test]
fn usages_of_2018_03_01_end_with_the_active_jobs() {
    let house = furnished();
    let path = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.BatchAI/locations/westus/usages");
    let rows = house.get(&format!("{path}?{OLD}")).expect(200).json()["value"].clone();
    let last = rows.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["name"]["value"], "ActiveJobs");
    assert_eq!(
        (&last["currentValue"], &last["limit"]),
        (&json!(1), &json!(2_147_483_647))
    );
    assert!(!house.get(&format!("{path}?{NEW}")).text().contains("ActiveJobs"));
    house
        .get(&format!("{path}?{OLDEST}"))
        .error(404, "InvalidResourceType");
}

#[test]
fn stdout_of_the_oldest_version_lies_right_in_the_folder_of_the_job() {
    let house = empty();
    let mut body = flat_cluster();
    // As the earliest bodies wrote it.
    let mut early = share();
    let credentials = early.as_object_mut().unwrap().remove("credentials").unwrap();
    early["credentialsInfo"] = credentials;
    body["properties"]["nodeSetup"]["mountVolumes"]["azureFileShares"] = json!([early]);
    house.put(&at("clusters/c", OLDEST), body).expect(200);
    let mut wish = flat_job();
    wish["properties"]["environmentVariables"] = json!([{"name": "EMPTY"}]);
    wish["properties"]["pyTorchSettings"] = json!({"pythonScriptFilePath": "unknown to this version"});
    house.put(&at("jobs/j", OLDEST), wish).expect(200);
    let folder = house
        .storage()
        .join(format!("acct/files/share/{SUBSCRIPTION}/rg/jobs/j"));
    std::fs::create_dir_all(folder.join("outputs/m")).unwrap();
    for name in ["stdout.txt", "execution.log", "execution-tvm-1.log"] {
        std::fs::write(folder.join(name), "x").unwrap();
    }
    let list = |version| {
        house
            .post(&at("jobs/j/listOutputFiles?outputdirectoryid=stdouterr", version))
            .expect(200)
    };
    let oldest = list(OLDEST).json();
    assert_eq!(names(&list(OLDEST)), ["stdout.txt"]);
    assert!(oldest["value"][0].get("isDirectory").is_none());
    let old = list(OLD).json();
    assert_eq!(
        names(&list(OLD)),
        ["execution-tvm-1.log", "execution.log", "outputs", "stdout.txt"]
    );
    assert_eq!(
        (&old["value"][2]["isDirectory"], &old["value"][3]["isDirectory"]),
        (&json!(true), &json!(false))
    );
    assert!(old["value"][3].get("fileType").is_none());
    // What a job calls so in a directory of its own is no log of the service.
    std::fs::write(folder.join("outputs/m/execution.log"), "x").unwrap();
    let model = house.post(&at("jobs/j/listOutputFiles?outputdirectoryid=MODEL", OLDEST));
    assert_eq!(names(&model), ["execution.log"]);
    // A path that is taken as given.
    let given = house
        .post(&at("jobs/j/listOutputFiles?outputdirectoryid=GIVEN", OLD))
        .expect(200);
    assert_eq!(given.json(), json!({"value": []}));
    std::fs::create_dir_all(house.storage().join("acct/files/share/given")).unwrap();
    std::fs::write(house.storage().join("acct/files/share/given/a"), "x").unwrap();
    assert_eq!(
        names(&house.post(&at("jobs/j/listOutputFiles?outputdirectoryid=GIVEN", OLD))),
        ["a"]
    );
}
