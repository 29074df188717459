//! Names, paths and versions: what is folded, what is printed, what is refused and how.

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::{House, SUBSCRIPTION, VERSION, cluster, job};

#[test]
fn names_compare_without_case_and_print_as_first_given() {
    let house = House::bare();
    let root = format!("/subscriptions/{SUBSCRIPTION}");
    house
        .put(
            &format!("{root}/resourcegroups/MyGroup"),
            json!({"location": "West Europe"}),
        )
        .expect(201);
    let ws = |group: &str, name: &str| {
        format!("{root}/resourceGroups/{group}/providers/Microsoft.BatchAI/workspaces/{name}")
    };
    let made = house
        .put(&ws("MYGROUP", "MyWs"), json!({"location": "West Europe"}))
        .expect(200)
        .json();
    assert_eq!(made["id"], ws("mygroup", "MyWs"));
    assert_eq!(
        (made["name"].as_str(), made["location"].as_str()),
        (Some("MyWs"), Some("westeurope"))
    );
    let shouted = ws("mygroup", "MYWS").replace("providers/Microsoft.BatchAI", "PROVIDERS/MICROSOFT.BATCHAI");
    assert_eq!(house.get(&shouted).expect(200).json(), made);
    house
        .put(&format!("{shouted}/CLUSTERS/MyC"), cluster(0))
        .expect(200);
    house
        .put(&format!("{shouted}/Experiments/MyE"), Value::Null)
        .expect(200);
    let mut wish = job("true");
    wish["properties"]["cluster"]["id"] = json!(format!("{}/CLUSTERS/myc", ws("MyGroup", "myws")));
    let path = format!("{}/experiments/mye/jobs/MyJ", ws("mygroup", "myws"));
    let shown = house.put(&path, wish.clone()).expect(200).json();
    assert_eq!(
        shown["id"],
        format!("{}/experiments/MyE/jobs/MyJ", ws("mygroup", "MyWs"))
    );
    let properties = &shown["properties"];
    assert_eq!(
        properties["cluster"]["id"],
        format!("{}/clusters/MyC", ws("mygroup", "MyWs"))
    );
    assert_eq!(properties["experimentName"], "MyE");
    let segment = properties["jobOutputDirectoryPathSegment"].as_str().unwrap();
    let stem = format!("{SUBSCRIPTION}/mygroup/workspaces/MyWs/experiments/MyE/jobs/MyJ/");
    assert!(segment.starts_with(&stem), "{segment}");
    wish["properties"]["cluster"]["id"] = json!(format!("{}/clusters/MYC", ws("mygroup", "MYWS")));
    assert_eq!(
        house
            .put(&path.to_uppercase().replace("MICROSOFT", "microsoft"), wish)
            .expect(200)
            .json(),
        shown
    );
    let server = house.put(
        &format!("{shouted}/fileServers/Fs"),
        json!({"properties": {"vmSize": "STANDARD_D1",
        "sshConfiguration": {"userAccountSettings": {"adminUserName": "u", "adminUserPassword": "p"}},
        "dataDisks": {"diskSizeInGB": 1, "diskCount": 1, "storageAccountType": "Standard_LRS"}}}),
    );
    assert_eq!(
        server.expect(200).json()["id"],
        format!("{}/fileservers/Fs", ws("mygroup", "MyWs"))
    );
}

#[test]
fn bad_names_are_refused() {
    let house = House::furnished(0);
    for name in [
        "a.b",
        ".",
        "..",
        "%C3%A4",
        "a%2Fb",
        "a%00b",
        "a%20b",
        "%0d%0aX",
        &"x".repeat(65),
        "a%25b",
    ] {
        let refused = house.put(&format!("~/clusters/{name}"), cluster(0));
        let error = refused.error(400, "BadRequest");
        assert_eq!(error["target"], "clusterName", "{name}");
        house
            .put(&format!("~/experiments/{name}"), Value::Null)
            .error(400, "BadRequest");
        house
            .get(&format!("~/experiments/e/jobs/{name}"))
            .error(400, "BadRequest");
    }
    house.get("~/clusters/%FF").error(404, "NotFound");
    house
        .put(&format!("~/clusters/{}", "x".repeat(64)), cluster(0))
        .expect(200);
    let group = |name: &str| format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}");
    for name in ["a%2Fb", "g.", "%C3%A4", &"x".repeat(91)] {
        house
            .put(&group(name), json!({"location": "eastus"}))
            .error(400, "BadRequest");
    }
    for region in ["a.b", "", "ü", &"x".repeat(56)] {
        house.put(&group("g"), json!({"location": region})).expect(400);
        let error = house.put("~2", json!({"location": region})).expect(400).json();
        assert_eq!(error["error"]["target"], "location", "{region}");
    }
}

#[test]
fn what_is_not_there_says_what_it_is() {
    let house = House::furnished(0);
    let error = house.get("~/clusters/none").error(404, "ClusterNotFound");
    assert_eq!(error["message"], "The specified cluster none is not found");
    house.get("~2").error(404, "WorkspaceNotFound");
    house.get("~/experiments/none").error(404, "ExperimentNotFound");
    house
        .get("~/experiments/none/jobs/j")
        .error(404, "ExperimentNotFound");
    house.get("~/experiments/e/jobs/j").error(404, "JobNotFound");
    house.get("~/fileServers/f").error(404, "FileServerNotFound");
    house.get("~2/clusters").error(404, "WorkspaceNotFound");
    house
        .put("~/experiments/none/jobs/j", job("true"))
        .error(404, "ExperimentNotFound");
    let mut wish = job("true");
    for id in ["nothing", "/subscriptions/x", "/a/b/c/d"] {
        wish["properties"]["cluster"]["id"] = json!(id);
        let error = house
            .put("~/experiments/e/jobs/j", wish.clone())
            .error(400, "BadRequest");
        assert_eq!(error["target"], "properties.cluster.id", "{id}");
    }
    for id in ["~/clusters/none", "~2/clusters/c"] {
        let id = crate::house::full(id);
        wish["properties"]["cluster"]["id"] = json!(id.split('?').next());
        let error = house
            .put("~/experiments/e/jobs/j", wish.clone())
            .error(404, "ClusterNotFound");
        assert_eq!(error["target"], "properties.cluster.id", "{id}");
    }
    let other = "/subscriptions/11111111-1111-1111-1111-111111111111";
    let error = house
        .get(&format!("{other}/providers/Microsoft.BatchAI/workspaces"))
        .error(404, "SubscriptionNotFound");
    assert_eq!(
        error["message"],
        "The subscription '11111111-1111-1111-1111-111111111111' could not be found."
    );
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/none");
    house
        .put(
            &format!("{group}/providers/Microsoft.BatchAI/workspaces/w"),
            json!({"location": "eastus"}),
        )
        .error(404, "ResourceGroupNotFound");
    house.delete(&group).error(404, "ResourceGroupNotFound");
}

#[test]
fn versions_paths_and_methods_are_told_apart() {
    let house = House::furnished(0);
    let raw = |method: Method, path: &str| house.raw(method, path, &[], vec![]);
    let ws = crate::house::full("~").split('?').next().unwrap().to_owned();
    let group = ws.split("/providers").next().unwrap().to_owned();
    raw(Method::GET, &ws).error(400, "MissingApiVersionParameter");
    raw(Method::GET, &format!("{ws}?api-version=")).error(400, "MissingApiVersionParameter");
    raw(Method::GET, &format!("{ws}?API-Version=2018-05-01")).expect(200);
    for version in ["2018-03-01", "2017-09-01-preview"] {
        raw(Method::GET, &format!("{ws}?api-version={version}")).error(404, "InvalidResourceType");
    }
    for version in ["2018-05-02", "x", "2018-05-01%20"] {
        raw(Method::GET, &format!("{ws}?api-version={version}")).error(400, "InvalidApiVersionParameter");
        for kind in ["clusters/c", "jobs", "fileServers/f"] {
            let flat = format!("{group}/providers/Microsoft.BatchAI/{kind}?api-version={version}");
            raw(Method::GET, &flat).error(400, "InvalidApiVersionParameter");
        }
    }
    let error = house
        .get(&format!("{group}/providers/Microsoft.BatchAI/clusters/c"))
        .error(404, "InvalidResourceType");
    assert!(
        error["message"].as_str().unwrap().contains("'clusters'"),
        "{error}"
    );
    let error = house.get("~/things/x").error(404, "InvalidResourceType");
    assert!(
        error["message"].as_str().unwrap().contains("'workspaces/things'"),
        "{error}"
    );
    raw(Method::GET, &format!("/nothing?{VERSION}")).error(404, "NotFound");
    raw(
        Method::GET,
        &format!("{group}/providers/Microsoft.Other/x?{VERSION}"),
    )
    .error(404, "NotFound");
    let refused = house.send(Method::POST, "~", &[], Value::Null);
    assert_eq!(refused.header("allow"), "PUT, PATCH, DELETE, GET");
    refused.error(405, "MethodNotAllowed");
    house
        .patch("~/experiments/e", json!({}))
        .error(405, "MethodNotAllowed");
    raw(Method::GET, &format!("{ws}/?{VERSION}")).expect(200);
}

#[test]
fn bodies_are_bounded_and_read_with_care() {
    let house = House::furnished(0);
    let put = |path: &str, body: &[u8]| house.raw(Method::PUT, &crate::house::full(path), &[], body.to_vec());
    put("~/clusters/x", &vec![b' '; 256 * 1024 + 1]).error(413, "RequestTooLarge");
    put("~/clusters/x", &vec![b' '; 256 * 1024]).error(400, "InvalidRequestContent");
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\u{0}",
        "{\"properties\": 3}",
        "\"x\"",
        "{} {}",
    ] {
        let error = put("~/clusters/x", body.as_bytes()).expect(400).json();
        assert!(
            ["InvalidRequestContent", "BadRequest"].contains(&error["error"]["code"].as_str().unwrap()),
            "{body}"
        );
    }
    put("~/clusters/x", b"\xff\xfe").error(400, "InvalidRequestContent");
    put("~/clusters/x", "[".repeat(100_000).as_bytes()).error(400, "InvalidRequestContent");
    let mut wrong = cluster(1);
    wrong["properties"]["scaleSettings"]["autoScale"] = json!({"minimumNodeCount": 0, "maximumNodeCount": 1});
    assert_eq!(
        house.put("~/clusters/x", wrong).error(400, "BadRequest")["target"],
        "properties.scaleSettings"
    );
    let mut wrong = cluster(1);
    wrong["properties"]["vmSize"] = json!("NOT_ONE");
    assert_eq!(
        house.put("~/clusters/x", wrong).error(400, "BadRequest")["target"],
        "properties.vmSize"
    );
    let mut wrong = job("true");
    wrong["properties"]["nodeCount"] = json!("2");
    assert_eq!(
        house
            .put("~/experiments/e/jobs/x", wrong)
            .error(400, "InvalidRequestContent")["target"],
        "properties.nodeCount"
    );
    assert!(house.get("~/clusters").expect(200).names() == ["c"]);
}

#[test]
fn auto_storage_is_refused_with_what_to_use_instead() {
    let house = House::bare();
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/BatchAIAutoStorage");
    let accounts = format!("{group}/providers/Microsoft.Storage/storageAccounts");
    let refused = house.get(&accounts).expect(400).json();
    assert_eq!(refused["error"]["code"], "AutoStorageNotAvailable");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("--storage-account-name"), "{message}");
}
