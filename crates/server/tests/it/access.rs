//! Who may do what, where: one row for every operation of the table.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use trainyard_server::ops::{OPERATIONS, Operation, Versions};

use crate::house::{ADMIN, House, SUBSCRIPTION, VERSION, cluster, full, job};

/// What a caller must have. `Nothing`: not even a token. `Token`: any token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Nothing,
    Token,
    Reader,
    Contributor,
    Owner,
}

/// Where the right must reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Where {
    Server,
    Subscription,
    Group,
    Workspace,
}

use Need::{Contributor, Nothing, Owner, Reader, Token};
use Where::{Group, Server, Subscription, Workspace};

/// Every operation: its path in a test, what it needs and where. A row of the server's table that is not here
/// fails the test.
const TABLE: &[(&str, &str, Need, Where)] = &[
    ("Health", "/healthz", Nothing, Server),
    ("Metrics", "/metrics", Reader, Server),
    ("Tokens_List", "/trainyard/tokens", Token, Server),
    ("Tokens_Create", "/trainyard/tokens", Owner, Server),
    ("Tokens_Revoke", "/trainyard/tokens/{victim}", Owner, Server),
    ("Principals_List", "/trainyard/principals", Token, Server),
    ("Principals_Create", "/trainyard/principals", Owner, Server),
    ("Principals_Revoke", "/trainyard/principals/x", Owner, Server),
    (
        "Principals_Reset",
        "/trainyard/principals/x/secrets",
        Owner,
        Server,
    ),
    (
        "Principals_SetIdentity",
        "/trainyard/principals/x/identity",
        Owner,
        Server,
    ),
    (
        "Principals_RemoveCredential",
        "/trainyard/principals/x/credentials/y",
        Owner,
        Server,
    ),
    ("ManagedIdentity_Token", "/trainyard/msi/x", Nothing, Server),
    (
        "ManagedIdentity_TokenOfWebApp",
        "/trainyard/msi/x",
        Nothing,
        Server,
    ),
    ("Metadata_Endpoints", "/metadata/endpoints", Nothing, Server),
    ("SignIn_Token", "/adfs/oauth2/token", Nothing, Server),
    ("SignIn_TokenV2", "/adfs/oauth2/v2.0/token", Nothing, Server),
    (
        "SignIn_Configuration",
        "/adfs/.well-known/openid-configuration",
        Nothing,
        Server,
    ),
    (
        "SignIn_ConfigurationV2",
        "/adfs/v2.0/.well-known/openid-configuration",
        Nothing,
        Server,
    ),
    ("Tenants_List", "/tenants", Token, Server),
    (
        "StorageAccounts_List",
        "{sub}/providers/Microsoft.Storage/storageAccounts",
        Reader,
        Subscription,
    ),
    (
        "StorageAccounts_ListByResourceGroup",
        "{group}/providers/Microsoft.Storage/storageAccounts",
        Reader,
        Group,
    ),
    (
        "StorageAccounts_GetProperties",
        "{group}/providers/Microsoft.Storage/storageAccounts/x",
        Reader,
        Group,
    ),
    (
        "StorageAccounts_ListKeys",
        "{group}/providers/Microsoft.Storage/storageAccounts/x/listKeys",
        Contributor,
        Group,
    ),
    // What its node's cluster asks for has a test of its own.
    ("Nodes_Preempt", "/trainyard/nodes/none/preempt", Token, Server),
    // What their items ask for has a test of its own.
    ("Imports_Run", "/trainyard/imports", Token, Server),
    ("Imports_Undo", "/trainyard/imports/none", Token, Server),
    ("Key_Get", "/trainyard/key", Owner, Server),
    ("Key_Rotate", "/trainyard/key/rotate", Owner, Server),
    ("Server_Stop", "/trainyard/stop", Owner, Server),
    (
        "OpenApi_Get",
        "/trainyard/openapi/2026-12-01-preview.json",
        Token,
        Server,
    ),
    (
        "Operations_List",
        "/providers/Microsoft.BatchAI/operations",
        Token,
        Server,
    ),
    ("Subscriptions_List", "/subscriptions", Token, Server),
    ("Subscriptions_Get", "{sub}", Token, Subscription),
    (
        "StorageAccounts_ListForAutoStorage",
        "{sub}/resourceGroups/batchaiautostorage/providers/Microsoft.Storage/storageAccounts",
        Token,
        Subscription,
    ),
    (
        "Providers_Get",
        "{sub}/providers/Microsoft.BatchAI",
        Token,
        Subscription,
    ),
    (
        "Providers_Register",
        "{sub}/providers/Microsoft.BatchAI/register",
        Contributor,
        Subscription,
    ),
    (
        "Providers_Unregister",
        "{sub}/providers/Microsoft.BatchAI/unregister",
        Contributor,
        Subscription,
    ),
    (
        "ResourceGroups_List",
        "{sub}/resourceGroups",
        Reader,
        Subscription,
    ),
    ("ResourceGroups_CreateOrUpdate", "{group}", Contributor, Group),
    ("ResourceGroups_Get", "{group}", Reader, Group),
    ("ResourceGroups_CheckExistence", "{group}", Reader, Group),
    ("ResourceGroups_Delete", "{group}", Contributor, Group),
    (
        "Usages_List",
        "{sub}/providers/Microsoft.BatchAI/locations/eastus/usages",
        Reader,
        Subscription,
    ),
    (
        "OperationResults_Get",
        "{sub}/providers/Microsoft.BatchAI/locations/eastus/operationresults/x",
        Token,
        Subscription,
    ),
    (
        "OperationStatuses_Get",
        "{sub}/providers/Microsoft.BatchAI/locations/eastus/operationstatuses/x",
        Token,
        Subscription,
    ),
    (
        "Workspaces_List",
        "{sub}/providers/Microsoft.BatchAI/workspaces",
        Reader,
        Subscription,
    ),
    (
        "Workspaces_ListByResourceGroup",
        "{group}/providers/Microsoft.BatchAI/workspaces",
        Reader,
        Group,
    ),
    ("Workspaces_Create", "~", Contributor, Workspace),
    ("Workspaces_Update", "~", Contributor, Workspace),
    ("Workspaces_Delete", "~", Contributor, Workspace),
    ("Workspaces_Get", "~", Reader, Workspace),
    ("Experiments_ListByWorkspace", "~/experiments", Reader, Workspace),
    ("Experiments_Create", "~/experiments/e", Contributor, Workspace),
    ("Experiments_Delete", "~/experiments/e", Contributor, Workspace),
    ("Experiments_Get", "~/experiments/e", Reader, Workspace),
    ("Jobs_ListByExperiment", "~/experiments/e/jobs", Reader, Workspace),
    ("Jobs_Create", "~/experiments/e/jobs/j", Contributor, Workspace),
    ("Jobs_Delete", "~/experiments/e/jobs/j", Contributor, Workspace),
    ("Jobs_Get", "~/experiments/e/jobs/j", Reader, Workspace),
    (
        "Jobs_ListOutputFiles",
        "~/experiments/e/jobs/j/listOutputFiles",
        Reader,
        Workspace,
    ),
    (
        "Jobs_ListRemoteLoginInformation",
        "~/experiments/e/jobs/j/listRemoteLoginInformation",
        Contributor,
        Workspace,
    ),
    (
        "Jobs_Terminate",
        "~/experiments/e/jobs/j/terminate",
        Contributor,
        Workspace,
    ),
    ("FileServers_Create", "~/fileServers/f", Contributor, Workspace),
    ("FileServers_Delete", "~/fileServers/f", Contributor, Workspace),
    ("FileServers_Get", "~/fileServers/f", Reader, Workspace),
    ("FileServers_ListByWorkspace", "~/fileServers", Reader, Workspace),
    ("Clusters_Create", "~/clusters/c", Contributor, Workspace),
    ("Clusters_Update", "~/clusters/c", Contributor, Workspace),
    ("Clusters_Delete", "~/clusters/c", Contributor, Workspace),
    ("Clusters_Get", "~/clusters/c", Reader, Workspace),
    (
        "Clusters_ListRemoteLoginInformation",
        "~/clusters/c/listRemoteLoginInformation",
        Contributor,
        Workspace,
    ),
    ("Clusters_ListByWorkspace", "~/clusters", Reader, Workspace),
    // The flat api-versions: where there is no workspace in the path, the right must reach the group.
    (
        "Clusters_Create",
        "{group}/providers/Microsoft.BatchAI/clusters/x?{old}",
        Contributor,
        Group,
    ),
    (
        "Clusters_Update",
        "{group}/providers/Microsoft.BatchAI/clusters/x?{old}",
        Contributor,
        Group,
    ),
    (
        "Clusters_Delete",
        "{group}/providers/Microsoft.BatchAI/clusters/x?{old}",
        Contributor,
        Group,
    ),
    (
        "Clusters_Get",
        "{group}/providers/Microsoft.BatchAI/clusters/x?{old}",
        Reader,
        Group,
    ),
    (
        "Clusters_ListRemoteLoginInformation",
        "{group}/providers/Microsoft.BatchAI/clusters/x/listRemoteLoginInformation?{old}",
        Contributor,
        Group,
    ),
    (
        "Clusters_List",
        "{sub}/providers/Microsoft.BatchAI/clusters?{old}",
        Reader,
        Subscription,
    ),
    (
        "Clusters_ListByResourceGroup",
        "{group}/providers/Microsoft.BatchAI/clusters?{old}",
        Reader,
        Group,
    ),
    (
        "Jobs_Create",
        "{group}/providers/Microsoft.BatchAI/jobs/x?{old}",
        Contributor,
        Group,
    ),
    (
        "Jobs_Delete",
        "{group}/providers/Microsoft.BatchAI/jobs/x?{old}",
        Contributor,
        Group,
    ),
    (
        "Jobs_Get",
        "{group}/providers/Microsoft.BatchAI/jobs/x?{old}",
        Reader,
        Group,
    ),
    (
        "Jobs_ListRemoteLoginInformation",
        "{group}/providers/Microsoft.BatchAI/jobs/x/listRemoteLoginInformation?{old}",
        Contributor,
        Group,
    ),
    (
        "Jobs_ListOutputFiles",
        "{group}/providers/Microsoft.BatchAI/jobs/x/listOutputFiles?{old}",
        Reader,
        Group,
    ),
    (
        "Jobs_Terminate",
        "{group}/providers/Microsoft.BatchAI/jobs/x/terminate?{old}",
        Contributor,
        Group,
    ),
    (
        "Jobs_List",
        "{sub}/providers/Microsoft.BatchAI/jobs?{old}",
        Reader,
        Subscription,
    ),
    (
        "Jobs_ListByResourceGroup",
        "{group}/providers/Microsoft.BatchAI/jobs?{old}",
        Reader,
        Group,
    ),
    (
        "FileServers_Create",
        "{group}/providers/Microsoft.BatchAI/fileServers/x?{old}",
        Contributor,
        Group,
    ),
    (
        "FileServers_Delete",
        "{group}/providers/Microsoft.BatchAI/fileServers/x?{old}",
        Contributor,
        Group,
    ),
    (
        "FileServers_Get",
        "{group}/providers/Microsoft.BatchAI/fileServers/x?{old}",
        Reader,
        Group,
    ),
    (
        "FileServers_List",
        "{sub}/providers/Microsoft.BatchAI/fileServers?{old}",
        Reader,
        Subscription,
    ),
    (
        "FileServers_ListByResourceGroup",
        "{group}/providers/Microsoft.BatchAI/fileServers?{old}",
        Reader,
        Group,
    ),
];

const OLD: &str = "api-version=2018-03-01";

/// The row of the server's table that a row of ours is about.
fn operation(name: &str, path: &str) -> Option<&'static Operation> {
    let is_flat = path.ends_with("{old}");
    OPERATIONS
        .iter()
        .find(|operation| operation.name == name && (operation.versions == Versions::Flat) == is_flat)
}

fn group() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg")
}

fn scopes() -> Vec<(Where, String)> {
    vec![
        (Server, "/".to_owned()),
        (Subscription, format!("/subscriptions/{SUBSCRIPTION}")),
        (Group, group()),
        (Workspace, full("~").split('?').next().unwrap().to_owned()),
    ]
}

fn make(house: &House, role: &str, scope: &str) -> (String, String) {
    let body = json!({"name": format!("{role}-token"), "role": role, "scope": scope});
    let made = house
        .send(Method::POST, "/trainyard/tokens", &[], body)
        .expect(201)
        .json();
    (
        made["id"].as_str().unwrap().to_owned(),
        made["token"].as_str().unwrap().to_owned(),
    )
}

fn call(house: &House, method: &Method, path: &str, token: &str) -> u16 {
    let path = path
        .replace("{sub}", &format!("/subscriptions/{SUBSCRIPTION}"))
        .replace("{group}", &group())
        .replace("{old}", OLD);
    // What the table says is met before a body is read: a broken one changes nothing in the house.
    let body = b"{broken".to_vec();
    house.token.replace(token.to_owned());
    let answer = house.raw(method.clone(), &full(&path), &[("if-match", "\"0x0\"")], body);
    house.token.replace(ADMIN.to_owned());
    answer.status
}

#[test]
fn every_operation_is_in_this_table() {
    let ours: BTreeSet<(&str, &str)> = TABLE
        .iter()
        .map(|(name, path, ..)| operation(name, path).map_or((*name, "none"), |o| (o.name, o.path)))
        .collect();
    let theirs: BTreeSet<(&str, &str)> = OPERATIONS.iter().map(|o| (o.name, o.path)).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn roles_reach_where_the_table_says_and_no_further() {
    for (name, path, need, place) in TABLE {
        let operation = operation(name, path).unwrap();
        // Those that check more than the path have tests of their own.
        if name.starts_with("Tokens_") || name.starts_with("Principals_") {
            continue;
        }
        let house = House::furnished(0);
        let anonymous = call(&house, &operation.method, path, "");
        assert_eq!(
            anonymous == 401,
            *need != Nothing,
            "{name} without a token: {anonymous}"
        );
        assert_eq!(
            call(&house, &operation.method, path, "wrong") == 401,
            *need != Nothing,
            "{name}, wrong token"
        );
        for (reach, scope) in scopes() {
            for (has, role) in [(Reader, "Reader"), (Contributor, "Contributor"), (Owner, "Owner")] {
                let (_, token) = make(&house, role, &scope);
                let status = call(&house, &operation.method, path, &token);
                let allowed = *need <= Token || (has >= *need && reach <= *place);
                assert_ne!(status, 401, "{name}, {role} at {scope}");
                assert_eq!(status != 403, allowed, "{name}, {role} at {scope}: {status}");
            }
        }
    }
}

#[test]
fn who_is_not_known_is_told_how_to_be() {
    let house = House::furnished(0);
    house.token.replace(String::new());
    let answer = house.get("~").expect(401);
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
    answer.error(401, "AuthenticationFailed");
    for header in [
        "Basic dTpw",
        "Bearer",
        "Bearer ",
        &format!("bearer{ADMIN}"),
        "\u{a0}",
    ] {
        house
            .send(Method::GET, "~", &[("authorization", header)], Value::Null)
            .error(401, "AuthenticationFailed");
    }
    house
        .send(
            Method::GET,
            "~",
            &[("authorization", &format!("bearer  {ADMIN}"))],
            Value::Null,
        )
        .expect(200);
}

#[test]
fn tokens_of_one_workspace_see_no_other() {
    let house = House::furnished(0);
    house.put("~2", json!({"location": "eastus"})).expect(200);
    let (_, token) = make(
        &house,
        "Owner",
        &full("~").to_uppercase().replace("?API-VERSION=2018-05-01", ""),
    );
    house.token.replace(token);
    house.get("~").expect(200);
    house.get("~2").error(403, "AuthorizationFailed");
    house
        .get(&format!("{}/providers/Microsoft.BatchAI/workspaces", group()))
        .error(403, "AuthorizationFailed");
    house
        .get("/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups")
        .error(403, "AuthorizationFailed");
    // No way round by an encoded slash.
    house
        .get(&format!(
            "{}%2Fproviders%2Fmicrosoft.batchai%2Fworkspaces%2Fws",
            group()
        ))
        .expect(403);
    house.get("~%2F..%2Fws2").expect(403);
}

#[test]
fn a_job_needs_rights_on_its_cluster_too() {
    let house = House::furnished(0);
    house.put("~2", json!({"location": "eastus"})).expect(200);
    house.put("~2/experiments/e", Value::Null).expect(200);
    house.put("~2/clusters/c", cluster(0)).expect(200);
    let workspace = |n: &str| full(&format!("~{n}")).split('?').next().unwrap().to_owned();
    let (_, token) = make(&house, "Contributor", &workspace("2"));
    house.token.replace(token);
    // The cluster is that of the first workspace.
    house
        .put("~2/experiments/e/jobs/j", job("true"))
        .error(403, "AuthorizationFailed");
    let mut own = job("true");
    own["properties"]["cluster"]["id"] = json!(format!("{}/clusters/c", workspace("2")));
    house.put("~2/experiments/e/jobs/j", own).expect(200);
    // Whether a foreign cluster is there is not told.
    let mut foreign = job("true");
    foreign["properties"]["cluster"]["id"] = json!(format!("{}/clusters/none", workspace("")));
    house
        .put("~2/experiments/e/jobs/k", foreign)
        .error(403, "AuthorizationFailed");
}

#[test]
fn tokens_are_made_listed_and_revoked_by_owners_of_their_scope() {
    let house = House::furnished(0);
    let post = |body: Value| house.send(Method::POST, "/trainyard/tokens", &[], body);
    for (body, target) in [
        (json!({"name": "", "role": "Owner"}), "name"),
        (json!({"name": "n", "role": "King"}), "role"),
        (
            json!({"name": "n", "role": "Owner", "scope": "/subscriptions/other"}),
            "scope",
        ),
        (
            json!({"name": "n", "role": "Owner", "scope": full("~/clusters/c").split('?').next()}),
            "scope",
        ),
    ] {
        assert_eq!(post(body).error(400, "BadRequest")["target"], target);
    }
    post(json!({"name": "n"})).expect(400);
    let (_, owner) = make(&house, "Owner", &group());
    let (reader_id, reader) = make(&house, "Reader", full("~").split('?').next().unwrap());
    let (everywhere, _) = make(&house, "Reader", "/");
    let list = |token: &str| {
        house.token.replace(token.to_owned());
        let names = house.get("/trainyard/tokens").expect(200).names();
        house.token.replace(ADMIN.to_owned());
        names
    };
    assert_eq!(list(ADMIN).len(), 4);
    assert_eq!(list(&owner).len(), 2);
    assert!(list(&reader).is_empty());
    let text = house.get("/trainyard/tokens").text();
    assert!(!text.contains(&owner) && !text.contains("hash"));

    house.token.replace(owner);
    let wish = |scope: &str| json!({"name": "n", "role": "Reader", "scope": scope});
    post(wish("/")).error(403, "AuthorizationFailed");
    post(wish(&format!("/subscriptions/{SUBSCRIPTION}"))).error(403, "AuthorizationFailed");
    post(wish(&group())).expect(201);
    house
        .delete(&format!("/trainyard/tokens/{everywhere}"))
        .error(403, "AuthorizationFailed");
    house
        .delete(&format!("/trainyard/tokens/{reader_id}"))
        .expect(204);
    house
        .delete(&format!("/trainyard/tokens/{reader_id}"))
        .error(404, "TokenNotFound");
    house.token.replace(reader);
    house.get("~").error(401, "AuthenticationFailed");
    house.token.replace(ADMIN.to_owned());
    let last = crate::events::all(&house).pop().unwrap();
    assert_eq!(
        (last.caller.as_str(), last.action.as_str()),
        ("Owner-token", "Trainyard/tokens/delete")
    );
}

#[test]
fn a_new_admin_token_replaces_the_old_one() {
    let house = House::furnished(0);
    house.app.ensure_admin_token("another").unwrap();
    house
        .get(&format!("~?{VERSION}"))
        .error(401, "AuthenticationFailed");
    house.token.replace("another".to_owned());
    house.get("~").expect(200);
}
