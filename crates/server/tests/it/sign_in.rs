//! Signing in: service principals, their tokens, managed identities, and what clients ask on the way.

use std::net::SocketAddr;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use trainyard_store::db::InlineHandle;

use crate::answer::Answer;
use crate::house::{ADMIN, House, SUBSCRIPTION, TENANT, log, settings};

const HERE: &str = "http://yard.example:8080";

/// A principal: its application id and its secret.
struct Made {
    app_id: String,
    password: String,
    shown: Value,
}

fn made(answer: &Answer) -> Made {
    let shown = answer.json();
    let text = |name: &str| shown[name].as_str().unwrap().to_owned();
    Made {
        app_id: text("appId"),
        password: text("password"),
        shown: shown.clone(),
    }
}

fn principal(house: &House, role: &str, scope: &str) -> Made {
    let body = json!({"name": "ci", "role": role, "scope": scope});
    made(
        &house
            .send(Method::POST, "/trainyard/principals", &[], body)
            .expect(201),
    )
}

fn form(house: &House, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let token = house.token.replace(String::new());
    let answer = house.raw(Method::POST, path, headers, pairs.join("&").into_bytes());
    house.token.replace(token);
    answer
}

fn sign_in_at(house: &House, path: &str, id: &str, secret: &str) -> Answer {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
        ("resource", "https%3A%2F%2Fyard"),
    ];
    form(house, path, &fields, &[])
}

fn sign_in(house: &House, who: &Made) -> Answer {
    sign_in_at(house, "/adfs/oauth2/token", &who.app_id, &who.password)
}

fn token_of(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn with(house: &House, token: &str, method: Method, path: &str, body: Value) -> Answer {
    house.token.replace(token.to_owned());
    let answer = house.send(method, path, &[], body);
    house.token.replace(ADMIN.to_owned());
    answer
}

fn status(house: &House, token: &str) -> u16 {
    with(house, token, Method::GET, "/subscriptions", Value::Null).status
}

fn with_identities() -> House {
    let mut settings = settings();
    settings.managed_identity = true;
    House::with(settings, InlineHandle::memory().unwrap())
}

fn identity_path(house: &House, who: &Made) -> String {
    let path = format!("/trainyard/principals/{}/identity", who.app_id);
    house.post(&path).expect(200).json()["path"]
        .as_str()
        .unwrap()
        .to_owned()
}

const MARKED: &[(&str, &str)] = &[("metadata", "true")];
const RESOURCE: &[(&str, &str)] = &[("resource", "https%3A%2F%2Fyard")];

#[test]
fn clients_are_told_where_to_sign_in_before_they_are_known() {
    let house = House::bare();
    house.token.replace(String::new());
    let told = house
        .get("/metadata/endpoints?api-version=2015-01-01")
        .expect(200)
        .json();
    let asked = json!({"loginEndpoint": format!("{HERE}/adfs"), "audiences": [HERE]});
    assert_eq!(
        (&told["authentication"], &told["graphEndpoint"]),
        (&asked, &json!(HERE))
    );
    for (tenant, version) in [("adfs", ""), (TENANT, "/v2.0")] {
        let path = format!("/{tenant}{version}/.well-known/openid-configuration");
        let told = house.get(&path).expect(200).json();
        assert_eq!(
            told["token_endpoint"],
            format!("{HERE}/{tenant}/oauth2{version}/token")
        );
    }
    house
        .get("/other/.well-known/openid-configuration")
        .error(404, "NotFound");
    house
        .get("/tenants?api-version=2016-06-01")
        .error(401, "AuthenticationFailed");
    house.token.replace(ADMIN.to_owned());
    let tenants = house.get("/tenants?api-version=2016-06-01").expect(200).json();
    assert_eq!(tenants["value"][0]["tenantId"], TENANT);
}

#[test]
fn a_secret_is_exchanged_for_a_token_in_the_form_that_clients_read() {
    let house = House::bare();
    let ci = principal(&house, "Reader", "/");
    assert_eq!(
        (&ci.shown["tenant"], &ci.shown["role"]),
        (&json!(TENANT), &json!("Reader"))
    );
    let answer = sign_in(&house, &ci).expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let shown = answer.json();
    let now = trainyard_server::Clock::now(&*house.clock).as_second();
    assert_eq!(
        (&shown["token_type"], &shown["expires_in"], &shown["resource"]),
        (&json!("Bearer"), &json!("3600"), &json!("https://yard"))
    );
    assert_eq!(shown["expires_on"], (now + 3600).to_string());
    let token = token_of(&answer);
    let parts: Vec<&str> = token.split('.').collect();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(parts.len(), 3);
    for (name, value) in [
        ("tid", json!(TENANT)),
        ("oid", json!(ci.app_id)),
        ("appid", json!(ci.app_id)),
        ("aud", json!("https://yard")),
        ("iss", json!(format!("{HERE}/{TENANT}/"))),
        ("exp", json!(now + 3600)),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(status(&house, &token), 200);
}

#[test]
fn every_path_and_spelling_that_clients_use_is_taken() {
    let house = House::bare();
    let ci = principal(&house, "Reader", "/");
    for path in [
        "/adfs/oauth2/token".to_owned(),
        "/adfs/oauth2/token?api-version=1.0".to_owned(),
        format!("/{TENANT}/oauth2/token?api-version=1.0"),
        format!("/{TENANT}/oauth2/v2.0/token"),
        format!("/{}/OAuth2/Token/", TENANT.to_uppercase()),
    ] {
        let id = ci.app_id.to_uppercase();
        sign_in_at(&house, &path, &id, &ci.password).expect(200);
    }
    let scope = [
        ("grant_type", "client_credentials"),
        ("client_id", ci.app_id.as_str()),
        ("client_secret", ci.password.as_str()),
        ("scope", "https%3A%2F%2Fmanagement.azure.com%2F.default"),
    ];
    let answer = form(&house, &format!("/{TENANT}/oauth2/v2.0/token"), &scope, &[]).expect(200);
    assert_eq!(answer.json()["resource"], "https://management.azure.com");
}

#[test]
fn a_wrong_id_and_a_wrong_secret_are_told_apart_by_nobody() {
    let house = House::bare();
    let (ci, other) = (principal(&house, "Owner", "/"), principal(&house, "Owner", "/"));
    let wrong_secret = sign_in_at(&house, "/adfs/oauth2/token", &ci.app_id, "hush7391").expect(401);
    let wrong_id = sign_in_at(&house, "/adfs/oauth2/token", "nobody", &ci.password).expect(401);
    let of_another = sign_in_at(&house, "/adfs/oauth2/token", &other.app_id, &ci.password).expect(401);
    assert_eq!(wrong_secret.json()["error"], "invalid_client");
    assert_eq!(wrong_secret.json(), wrong_id.json());
    assert_eq!(wrong_secret.json(), of_another.json());
    assert!(log().contains("a sign-in was refused") && log().contains(&other.app_id));
    for secret in ["hush7391", &ci.password] {
        assert!(!log().contains(secret), "a secret stands in the log");
    }
}

#[test]
fn a_form_that_cannot_be_served_is_told_why() {
    let house = House::bare();
    let ci = principal(&house, "Reader", "/");
    let (id, secret) = (
        ("client_id", ci.app_id.as_str()),
        ("client_secret", ci.password.as_str()),
    );
    let grant = ("grant_type", "client_credentials");
    let long = "x".repeat(501);
    for (fields, error) in [
        (vec![], "invalid_request"),
        (vec![id, secret], "invalid_request"),
        (vec![grant, id], "invalid_request"),
        (vec![grant, id, ("client_secret", "")], "invalid_request"),
        (vec![grant, id, secret, ("resource", &long)], "invalid_request"),
        (
            vec![
                ("grant_type", "password"),
                id,
                ("username", "u"),
                ("password", "p"),
            ],
            "unsupported_grant_type",
        ),
        (vec![("grant_type", "device_code"), id], "unsupported_grant_type"),
    ] {
        let answer = form(&house, "/adfs/oauth2/token", &fields, &[])
            .expect(400)
            .json();
        assert_eq!(answer["error"], error, "{fields:?}");
        assert!(
            answer["error_description"]
                .as_str()
                .is_some_and(|text| text.len() > 10)
        );
    }
    let elsewhere = sign_in_at(
        &house,
        "/11111111-0000-4000-8000-000000000000/oauth2/token",
        &ci.app_id,
        &ci.password,
    );
    assert_eq!(elsewhere.expect(400).json()["error"], "invalid_request");
    let raw = house.raw(Method::POST, "/adfs/oauth2/token", &[], vec![0xff, 0xfe]);
    assert_eq!(raw.expect(400).json()["error"], "invalid_request");
    house.get("/adfs/oauth2/token").expect(405);
}

#[test]
fn after_ten_wrong_secrets_a_client_waits() {
    let house = House::bare();
    let ci = principal(&house, "Reader", "/");
    for _ in 0..10 {
        sign_in_at(&house, "/adfs/oauth2/token", &ci.app_id, "wrong").expect(401);
    }
    let waits = sign_in(&house, &ci).expect(429);
    assert_eq!(
        (waits.header("retry-after"), &waits.json()["error"]),
        ("60", &json!("temporarily_unavailable"))
    );
    house.peer.set(Some("10.0.0.9:1000".parse().unwrap()));
    sign_in(&house, &ci).expect(200);
    house.peer.set(None);
    house.seconds(60);
    sign_in(&house, &ci).expect(200);
}

#[test]
fn a_token_has_the_rights_of_its_principal_and_no_more() {
    let house = House::furnished(0);
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg");
    let token =
        |role: &str, scope: &str| token_of(&sign_in(&house, &principal(&house, role, scope)).expect(200));
    let (reader, contributor) = (token("Reader", &group), token("Contributor", &group));
    with(&house, &reader, Method::GET, "~", Value::Null).expect(200);
    with(&house, &reader, Method::PUT, "~/experiments/x", Value::Null).error(403, "AuthorizationFailed");
    with(&house, &contributor, Method::PUT, "~/experiments/x", Value::Null).expect(200);
    with(&house, &contributor, Method::GET, "/metrics", Value::Null).error(403, "AuthorizationFailed");
    // Who is told apart in the audit trail is the principal.
    let read = |s: &trainyard_store::Snapshot<'_>| s.events(0, 1000);
    let events = house.ports.store.read(read).unwrap();
    assert!(
        events
            .iter()
            .any(|(_, event)| event.caller == "ci" && event.target.ends_with("/experiments/x"))
    );
}

#[test]
fn a_token_lives_through_a_restart_and_not_beyond_its_time() {
    let house = House::bare();
    let ci = principal(&house, "Reader", "/");
    let token = token_of(&sign_in(&house, &ci).expect(200));
    let house = house.restart();
    assert_eq!(status(&house, &token), 200);
    house.seconds(3599);
    assert_eq!(status(&house, &token), 200);
    house.seconds(1);
    assert_eq!(status(&house, &token), 401);
    sign_in(&house, &ci).expect(200);
}

#[test]
fn what_is_revoked_ends_its_tokens_at_once() {
    let house = House::bare();
    let (one, two) = (principal(&house, "Reader", "/"), principal(&house, "Reader", "/"));
    let (first, second) = (token_of(&sign_in(&house, &one)), token_of(&sign_in(&house, &two)));
    house
        .delete(&format!("/trainyard/principals/{}", one.app_id))
        .expect(204);
    assert_eq!((status(&house, &first), status(&house, &second)), (401, 200));
    sign_in(&house, &one).expect(401);
    house
        .delete(&format!("/trainyard/principals/{}", one.app_id))
        .error(404, "PrincipalNotFound");
}

#[test]
fn secrets_rotate_without_a_gap_or_at_once() {
    let house = House::bare();
    let old = principal(&house, "Reader", "/");
    let secrets = format!("/trainyard/principals/{}/secrets", old.app_id);
    let old_token = token_of(&sign_in(&house, &old));
    let new = made(
        &house
            .send(Method::POST, &secrets, &[], json!({"append": true, "days": 1}))
            .expect(200),
    );
    assert_eq!(new.shown["credentials"].as_array().unwrap().len(), 2);
    sign_in(&house, &old).expect(200);
    let new_token = token_of(&sign_in(&house, &new).expect(200));
    // The older one is taken away by its id, and its tokens with it.
    let id = old.shown["credentials"][0]["id"].as_str().unwrap();
    let credential = format!("/trainyard/principals/{}/credentials/{id}", old.app_id);
    house.delete(&credential).expect(204);
    house.delete(&credential).error(404, "CredentialNotFound");
    sign_in(&house, &old).expect(401);
    assert_eq!(
        (status(&house, &old_token), status(&house, &new_token)),
        (401, 200)
    );
    // Without append there is only the newest.
    let newest = made(&house.send(Method::POST, &secrets, &[], Value::Null).expect(200));
    sign_in(&house, &new).expect(401);
    sign_in(&house, &newest).expect(200);
    assert_eq!(status(&house, &new_token), 401);
}

#[test]
fn a_secret_ends_at_its_time_with_the_tokens_got_by_it() {
    let house = House::bare();
    let body = json!({"name": "ci", "role": "Reader", "scope": "/", "days": 1});
    let ci = made(
        &house
            .send(Method::POST, "/trainyard/principals", &[], body)
            .expect(201),
    );
    house.seconds(24 * 3600 - 600);
    let answer = sign_in(&house, &ci).expect(200);
    assert_eq!(answer.json()["expires_in"], "600");
    house.seconds(601);
    assert_eq!(status(&house, &token_of(&answer)), 401);
    sign_in(&house, &ci).expect(401);
}

#[test]
fn what_cannot_be_a_principal_is_refused() {
    let house = House::bare();
    for body in [
        json!({}),
        json!({"name": "", "role": "Reader"}),
        json!({"name": "n", "role": "Boss"}),
        json!({"name": "n", "role": "Reader", "scope": "/nowhere"}),
        json!({"name": "n", "role": "Reader", "days": 0}),
        json!({"name": "n", "role": "Reader", "days": 3651}),
        json!({"name": "n", "role": "Reader", "days": -1}),
        json!([]),
    ] {
        house
            .send(Method::POST, "/trainyard/principals", &[], body)
            .error(400, "BadRequest");
    }
    assert_eq!(
        house.get("/trainyard/principals").expect(200).json()["value"],
        json!([])
    );
    let ci = principal(&house, "Reader", "/");
    let secrets = format!("/trainyard/principals/{}/secrets", ci.app_id);
    house
        .send(Method::POST, &secrets, &[], json!({"days": 0}))
        .error(400, "BadRequest");
    for _ in 0..9 {
        house
            .send(Method::POST, &secrets, &[], json!({"append": true}))
            .expect(200);
    }
    house
        .send(Method::POST, &secrets, &[], json!({"append": true}))
        .error(400, "BadRequest");
    house
        .post("/trainyard/principals/nobody/secrets")
        .error(404, "PrincipalNotFound");
}

#[test]
fn principals_are_for_owners_of_their_scope() {
    let house = House::furnished(0);
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg");
    let everywhere = principal(&house, "Owner", "/");
    let of_group = principal(&house, "Owner", &group);
    let owner = token_of(&sign_in(&house, &of_group));
    let contributor = token_of(&sign_in(&house, &principal(&house, "Contributor", "/")));
    let create = |token: &str, scope: &str| {
        let body = json!({"name": "n", "role": "Reader", "scope": scope});
        with(&house, token, Method::POST, "/trainyard/principals", body).status
    };
    assert_eq!((create(&owner, &group), create(&owner, "/")), (201, 403));
    assert_eq!(create(&contributor, &group), 403);
    let seen = with(&house, &owner, Method::GET, "/trainyard/principals", Value::Null).json();
    assert_eq!(seen["value"].as_array().unwrap().len(), 2, "{seen}");
    for (method, rest) in [
        (Method::DELETE, ""),
        (Method::POST, "/secrets"),
        (Method::DELETE, "/credentials/x"),
    ] {
        let path = format!("/trainyard/principals/{}{rest}", everywhere.app_id);
        with(&house, &owner, method, &path, Value::Null).error(403, "AuthorizationFailed");
    }
    sign_in(&house, &everywhere).expect(200);
    // The list never shows a secret or its hash.
    let listed = house.get("/trainyard/principals").expect(200);
    assert!(!String::from_utf8_lossy(&listed.body).contains("password"));
}

#[test]
fn a_managed_identity_gives_tokens_to_who_knows_its_path_on_this_machine() {
    let house = with_identities();
    let ci = principal(&house, "Reader", "/");
    let path = identity_path(&house, &ci);
    for peer in [
        None,
        Some("127.0.0.1:999"),
        Some("[::1]:999"),
        Some("[::ffff:127.0.0.1]:999"),
    ] {
        house
            .peer
            .set(peer.map(|peer| peer.parse::<SocketAddr>().unwrap()));
        let answer = form(&house, &path, RESOURCE, MARKED).expect(200);
        assert_eq!(answer.json()["resource"], "https://yard");
        assert_eq!(status(&house, &token_of(&answer)), 200);
    }
    // As an app of that time asks.
    let secret = path.rsplit('/').next().unwrap();
    let uri = format!("{path}/?resource=https%3A%2F%2Fyard&api-version=2017-09-01");
    let answer = house
        .raw(Method::GET, &uri, &[("secret", secret)], Vec::new())
        .expect(200);
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert!(!log().contains(secret), "the path stands in the log");
    // A new path takes the place of the old one, whose tokens end.
    let token = token_of(&answer);
    let second = identity_path(&house, &ci);
    form(&house, &path, RESOURCE, MARKED).error(404, "NotFound");
    assert_eq!(status(&house, &token), 401);
    form(&house, &second, RESOURCE, MARKED).expect(200);
}

#[test]
fn a_managed_identity_tells_nobody_else_that_it_is_there() {
    let house = with_identities();
    let ci = principal(&house, "Reader", "/");
    let path = identity_path(&house, &ci);
    let unknown = form(&house, "/trainyard/msi/trainyard-guess", RESOURCE, MARKED).error(404, "NotFound");
    house.peer.set(Some("10.1.2.3:999".parse().unwrap()));
    assert_eq!(
        form(&house, &path, RESOURCE, MARKED).error(404, "NotFound"),
        unknown
    );
    house.peer.set(Some("127.0.0.1:999".parse().unwrap()));
    for header in ["forwarded", "x-forwarded-for", "via"] {
        let headers = [("metadata", "true"), (header, "for=10.1.2.3")];
        assert_eq!(
            form(&house, &path, RESOURCE, &headers).error(404, "NotFound"),
            unknown
        );
    }
    form(&house, &path, RESOURCE, &[]).error(400, "BadRequest");
    form(&house, &path, &[], MARKED).error(400, "BadRequest");
    let get = |headers: &[(&str, &str)], query: &str| {
        house.raw(Method::GET, &format!("{path}{query}"), headers, Vec::new())
    };
    get(MARKED, "?resource=x").error(400, "BadRequest");
    get(&[("secret", "guess")], "?resource=x").error(400, "BadRequest");
    // A client secret is no path, and a path no client secret.
    form(
        &house,
        &format!("/trainyard/msi/{}", ci.password),
        RESOURCE,
        MARKED,
    )
    .error(404, "NotFound");
    let secret = path.rsplit('/').next().unwrap();
    sign_in_at(&house, "/adfs/oauth2/token", &ci.app_id, secret).expect(401);
    // Switched off, a path that was given out is none.
    let off = House::bare();
    let ci = principal(&off, "Reader", "/");
    off.post(&format!("/trainyard/principals/{}/identity", ci.app_id))
        .error(400, "BadRequest");
    assert_eq!(
        form(&off, &path, RESOURCE, MARKED).error(404, "NotFound"),
        unknown
    );
}

#[test]
fn storage_accounts_are_listed_where_they_are_and_give_keys_to_who_may_write() {
    let mut settings = settings();
    settings
        .account_groups
        .insert("mapped".to_owned(), "Research".to_owned());
    let house = House::with(settings, InlineHandle::memory().unwrap());
    for account in ["mapped", "used", "No Account"] {
        std::fs::create_dir_all(house.storage().join(account)).unwrap();
    }
    std::fs::write(house.storage().join("afile"), "").unwrap();
    let all = format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts?api-version=2019-04-01"
    );
    let listed = house.get(&all).expect(200).json();
    let ids: Vec<&str> = listed["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["id"].as_str().unwrap())
        .collect();
    let id = |group: &str, name: &str| {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{name}"
        )
    };
    let (mapped, used) = (id("Research", "mapped"), id("trainyard-storage", "used"));
    assert_eq!(ids, [&mapped, &used]);
    let of_group = house
        .get(&mapped.replace("/mapped", "").to_lowercase())
        .expect(200)
        .json();
    assert_eq!(of_group["value"].as_array().unwrap().len(), 1);
    assert_eq!(house.get(&used).expect(200).json()["name"], "used");
    let keys = |path: &str| house.post(&format!("{path}/listKeys?api-version=2019-04-01"));
    let shown = keys(&used).expect(200).json();
    let value = shown["keys"][0]["value"].as_str().unwrap();
    assert_eq!(STANDARD.decode(value).unwrap().len(), 64);
    assert_eq!(
        (&shown["keys"][0]["keyName"], &shown["keys"][0]["permissions"]),
        (&json!("key1"), &json!("Full"))
    );
    assert_eq!(keys(&used.to_uppercase()).expect(200).json(), shown);
    assert_ne!(keys(&mapped).expect(200).json(), shown);
    assert!(!log().contains(value), "a key stands in the log");
    // In another group than its own it is not, and is told where.
    let elsewhere = keys(&id("mine", "mapped"))
        .error(404, "ResourceNotFound")
        .to_string();
    assert!(
        elsewhere.contains("Research") && elsewhere.contains("resource_group"),
        "{elsewhere}"
    );
    keys(&id("mine", "nothing")).error(404, "ResourceNotFound");
    let reader = token_of(&sign_in(&house, &principal(&house, "Reader", "/")));
    with(&house, &reader, Method::GET, &used, Value::Null).expect(200);
    with(
        &house,
        &reader,
        Method::POST,
        &format!("{used}/listKeys"),
        Value::Null,
    )
    .error(403, "AuthorizationFailed");
    let house = house.restart();
    assert_eq!(
        house.post(&format!("{used}/listKeys")).expect(200).json(),
        shown,
        "stable over restarts"
    );
}

#[test]
fn what_is_done_with_principals_stands_in_the_audit_trail() {
    let house = with_identities();
    let ci = principal(&house, "Reader", "/");
    let path = format!("/trainyard/principals/{}", ci.app_id);
    let new = made(&house.post(&format!("{path}/secrets")).expect(200));
    identity_path(&house, &ci);
    let id = new.shown["credentials"][0]["id"].as_str().unwrap();
    house.delete(&format!("{path}/credentials/{id}")).expect(204);
    house.delete(&path).expect(204);
    let read = |s: &trainyard_store::Snapshot<'_>| s.events(0, 1000);
    let events = house.ports.store.read(read).unwrap();
    let actions: Vec<&str> = events
        .iter()
        .filter(|(_, event)| event.target == path && event.caller == "admin")
        .map(|(_, event)| event.action.as_str())
        .collect();
    let expected = [
        "write",
        "secrets/write",
        "identity/write",
        "credentials/delete",
        "delete",
    ];
    assert_eq!(
        actions,
        expected.map(|action| format!("Trainyard/principals/{action}"))
    );
    let told = format!("{events:?}");
    assert!(!told.contains(&ci.password) && !told.contains(&new.password));
}
