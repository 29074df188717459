//! File servers mounted by clusters and jobs: found when they are asked for, kept while they are mounted.

use axum::http::Method;
use serde_json::{Value, json};
use trainyard_domain::state::Verdict;

use crate::file_servers::{server, sized};
use crate::house::{House, SUBSCRIPTION, cluster, full, job, job_path, share};

fn id_of(name: &str) -> String {
    let path = full(&format!("~/fileServers/{name}"));
    path.split('?').next().unwrap().to_owned()
}

/// Volumes with the usual share and this file server, without and with a directory of it.
pub fn volumes(name: &str) -> Value {
    json!({
        "azureFileShares": [share()],
        "fileServers": [
            {"fileServer": {"id": id_of(name)}, "relativeMountPath": "nfs", "mountOptions": "rw"},
            {"fileServer": {"id": id_of(name)}, "relativeMountPath": "deep/nfs", "sourceDirectory": "/a/b"},
        ]
    })
}

fn mounting_cluster(nodes: u32, volumes: Value) -> Value {
    let mut body = cluster(nodes);
    body["properties"]["nodeSetup"]["mountVolumes"] = volumes;
    body
}

fn mounting_job(volumes: Value) -> Value {
    let mut body = job("true");
    body["properties"]["mountVolumes"] = volumes;
    body
}

fn sources(mounts: &[trainyard_domain::launch::Mount]) -> Vec<(String, String)> {
    let end = |path: &str| path.split_once("/mounts/").unwrap().1.to_owned();
    let mut found: Vec<_> = mounts
        .iter()
        .map(|mount| (end(&mount.path), mount.behind.to_string()))
        .filter(|(path, _)| path != "afs")
        .collect();
    found.sort();
    found
}

#[test]
fn nodes_and_jobs_find_the_folder_and_its_directories_at_their_mount_paths() {
    let house = House::furnished(0);
    house.put("~/fileServers/f", server()).expect(200);
    house
        .put("~/clusters/n", mounting_cluster(1, volumes("F")))
        .expect(200);
    house.pump();
    let folder = std::fs::canonicalize(house.folder_of("f")).unwrap();
    let expected = [("deep/nfs", folder.join("a/b")), ("nfs", folder.clone())]
        .map(|(path, source)| (path.to_owned(), source.display().to_string()));
    let plan = house.engine.state().plans.last().unwrap().clone();
    assert_eq!(sources(&plan.mounts), expected);
    assert!(folder.join("a/b").is_dir());

    house
        .patch(
            "~/clusters/c",
            json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 1}}}}),
        )
        .expect(200);
    house.put(&job_path("j"), mounting_job(volumes("f"))).expect(200);
    house.pump();
    let launched = house.engine.state().launches.last().unwrap().1.clone();
    assert_eq!(sources(&launched.mounts), expected);
    // What it was told with is what it is told with again.
    house.engine.forget_runs();
    house.full_pump();
    let again = house.engine.state().launches.last().unwrap().1.clone();
    assert_eq!(again, launched);
    assert_eq!(
        house.job("j")["mountVolumes"]["fileServers"][0]["mountOptions"],
        "rw"
    );
}

#[test]
fn a_cluster_reports_the_subnet_of_the_file_server_it_mounts() {
    let house = House::furnished(0);
    let subnet = |answer: crate::house::Answer| answer.expect(200).json()["properties"]["subnet"].clone();
    let of_server = subnet(house.put("~/fileServers/f", server()));
    let body = mounting_cluster(0, volumes("f"));
    let of_cluster = subnet(house.put("~/clusters/n", body.clone()));
    assert_eq!(of_cluster, of_server);
    // It is not part of the wish: the same body is the same cluster.
    assert_eq!(subnet(house.put("~/clusters/n", body.clone())), of_server);
    let mut own = body;
    own["properties"]["subnet"] = json!({"id": "/subscriptions/x/subnets/mine"});
    assert_eq!(
        subnet(house.put("~/clusters/own", own)),
        json!({"id": "/subscriptions/x/subnets/mine"})
    );
    assert!(subnet(house.get("~/clusters/c")).is_null());
}

#[test]
fn a_file_server_that_is_not_there_is_named() {
    let house = House::furnished(0);
    house.put("~/fileServers/f", server()).expect(200);
    house
        .put("~/fileServers/bad", sized("STANDARD_D1", "Premium_LRS"))
        .expect(202);
    let cluster_member = "properties.nodeSetup.mountVolumes.fileServers[1].fileServer.id";
    let job_member = "properties.mountVolumes.fileServers[1].fileServer.id";
    let other_group = id_of("f").replace("/rg/", "/none/");
    let other_workspace = id_of("f").replace("/ws/", "/none/");
    let other_subscription = id_of("f").replace(SUBSCRIPTION, "11111111-1111-1111-1111-111111111111");
    for (id, status, code) in [
        (id_of("none"), 404, "FileServerNotFound"),
        (other_group, 404, "FileServerNotFound"),
        (other_workspace, 404, "FileServerNotFound"),
        (other_subscription, 404, "FileServerNotFound"),
        (id_of("bad"), 409, "FileServerFailed"),
    ] {
        let mut volumes = volumes("f");
        volumes["fileServers"][1]["fileServer"]["id"] = json!(id);
        let error = house
            .put("~/clusters/n", mounting_cluster(0, volumes.clone()))
            .error(status, code);
        assert_eq!(error["target"], cluster_member, "{id}");
        let error = house
            .put(&job_path("j"), mounting_job(volumes))
            .error(status, code);
        assert_eq!(error["target"], job_member, "{id}");
    }
    house.get("~/clusters/n").expect(404);
    house.get(&job_path("j")).expect(404);
    house.delete("~/fileServers/f").expect(200);
}

/// A token that may write in workspace `ws` only.
fn restricted(house: &House) -> String {
    let scope = full("~").split('?').next().unwrap().to_owned();
    let body = json!({"name": "t", "role": "Contributor", "scope": scope});
    let made = house
        .send(Method::POST, "/trainyard/tokens", &[], body)
        .expect(201);
    made.json()["token"].as_str().unwrap().to_owned()
}

#[test]
fn who_may_not_use_a_workspace_may_neither_mount_its_file_servers_nor_see_who_mounts_his() {
    let house = House::furnished(0);
    house.put("~2", json!({"location": "eastus"})).expect(200);
    house.put("~2/fileServers/f", server()).expect(200);
    house.put("~/fileServers/f", server()).expect(200);
    house
        .put("~2/clusters/hidden", mounting_cluster(0, volumes("f")))
        .expect(200);
    house.token.replace(restricted(&house));
    let mut foreign = volumes("f");
    foreign["fileServers"][1]["fileServer"]["id"] = json!(id_of("f").replace("/ws/", "/ws2/"));
    house
        .put("~/clusters/n", mounting_cluster(0, foreign.clone()))
        .error(403, "AuthorizationFailed");
    house
        .put(&job_path("j"), mounting_job(foreign))
        .error(403, "AuthorizationFailed");
    let error = house.delete("~/fileServers/f").error(409, "FileServerInUse");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("a workspace that you may not read") && !message.contains("hidden"),
        "{message}"
    );
    // One that he may see is named, whichever came first.
    house
        .put("~/clusters/seen", mounting_cluster(0, volumes("f")))
        .expect(200);
    let error = house.delete("~/fileServers/f").error(409, "FileServerInUse");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("the cluster seen in the workspace ws and 1 more"),
        "{message}"
    );
}

#[test]
fn a_file_server_stays_while_it_is_mounted() {
    let house = House::furnished(1);
    house.put("~/fileServers/f", server()).expect(200);
    house
        .put("~/clusters/n", mounting_cluster(1, volumes("f")))
        .expect(200);
    for name in ["runs", "waits", "removed"] {
        house.put(&job_path(name), mounting_job(volumes("f"))).expect(200);
        house.seconds(1);
    }
    house.pump();
    let refused = || {
        let error = house.delete("~/fileServers/f").error(409, "FileServerInUse");
        error["message"].as_str().unwrap().to_owned()
    };
    assert!(
        refused().contains("mounted by the cluster n in the workspace ws and 3 more"),
        "{}",
        refused()
    );
    house.delete(&job_path("removed")).expect(200);
    house.delete("~/clusters/n").expect(202);
    assert!(refused().contains("the cluster n"), "its nodes are still there");
    house.pump();
    house.get("~/clusters/n").expect(404);
    assert!(
        refused().contains("the job runs of the experiment e in the workspace ws and 1 more"),
        "{}",
        refused()
    );
    house.engine.end("runs", &Verdict::Exited(0));
    house.pump();
    assert!(refused().contains("the job waits"), "{}", refused());
    house.engine.end("waits", &Verdict::Exited(1));
    house.pump();
    // Jobs that are over keep nothing.
    house.get(&job_path("runs")).expect(200);
    house.delete("~/fileServers/f").expect(200);
    house.pump();
    assert_eq!(house.folder_names(), Vec::<String>::new());
}

#[test]
fn what_still_names_a_file_server_that_went_with_its_workspace_is_told_so() {
    let house = House::furnished(1);
    house.put("~2", json!({"location": "eastus"})).expect(200);
    house.put("~2/fileServers/f", server()).expect(200);
    let there = id_of("f").replace("/ws/", "/ws2/");
    let mut volumes = volumes("f");
    for entry in volumes["fileServers"].as_array_mut().unwrap() {
        entry["fileServer"]["id"] = json!(there);
    }
    house
        .put("~/clusters/n", mounting_cluster(0, volumes.clone()))
        .expect(200);
    house.submit("before");
    house.pump();
    house.put(&job_path("j"), mounting_job(volumes)).expect(200);
    house.delete("~2").expect(202);
    house.pump();
    house.get("~2").expect(404);
    assert_eq!(house.folder_names(), Vec::<String>::new());
    // The same names again are other things.
    house.put("~2", json!({"location": "eastus"})).expect(200);
    house.put("~2/fileServers/f", server()).expect(200);

    let scale = json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 1}}}});
    house.patch("~/clusters/n", scale).expect(200);
    house.engine.end("before", &Verdict::Exited(0));
    house.pump();
    let properties = house.get("~/clusters/n").expect(200).json()["properties"].clone();
    assert_eq!(properties["nodeStateCounts"]["unusableNodeCount"], 1);
    let job = house.job("j");
    assert_eq!(job["executionState"], "failed");
    for error in [&properties["errors"][0], &job["executionInfo"]["errors"][0]] {
        assert_eq!(error["code"], "FileServerMountError", "{error}");
        let printed = there.replace("/fileServers/", "/fileservers/");
        assert!(error["message"].as_str().unwrap().contains(&printed), "{error}");
        let why = error["details"][0]["value"].as_str().unwrap();
        assert!(why.contains("It is gone"), "{why}");
    }
}

#[test]
fn a_missing_folder_and_a_way_out_of_it_are_mount_errors_and_nothing_is_made() {
    let house = House::furnished(1);
    house.put("~/fileServers/f", server()).expect(200);
    let folder = house.folder_of("f");
    std::os::unix::fs::symlink(house.folder.path(), folder.join("a")).unwrap();
    let fails = |name: &str| {
        house.put(&job_path(name), mounting_job(volumes("f"))).expect(200);
        house.pump();
        let info = house.job(name)["executionInfo"].clone();
        assert_eq!(info["errors"][0]["code"], "FileServerMountError", "{info}");
        info["errors"][0]["details"][0]["value"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(fails("out").contains("leads out"));
    assert!(!house.folder.path().join("b").exists());
    std::fs::rename(&folder, house.folder.path().join("elsewhere")).unwrap();
    let why = fails("missing");
    assert!(why.contains("missing on the server"), "{why}");
    assert!(!folder.exists());
}

#[test]
fn output_on_a_file_server_cannot_be_listed() {
    let house = House::furnished(1);
    house.put("~/fileServers/f", server()).expect(200);
    let mut body = mounting_job(volumes("f"));
    body["properties"]["stdOutErrPathPrefix"] = json!("$AZ_BATCHAI_JOB_MOUNT_ROOT/nfs");
    house.put(&job_path("j"), body).expect(200);
    house.pump();
    let path = format!("{}/listOutputFiles?outputdirectoryid=stdouterr", job_path("j"));
    house.post(&path).error(400, "OutputDirectoryNotOnMountRoot");
    house.engine.end("j", &Verdict::Exited(0));
}
