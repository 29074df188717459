//! Signing in as the old clients do it (clients.md, "Three ways to sign in"): where to, and with what.
//!
//! A refusal here is not of the resource manager's form but of OAuth 2.0's (RFC 6749 section 5.2), so it is written here.

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{info, warn};
use trainyard_domain::name::excerpt;
use trainyard_store::{Credential, CredentialKind, Principal};

use super::list as list_reply;
use super::principals::IDENTITIES;
use crate::App;
use crate::access::hash;
use crate::arm_error::ApiError;
use crate::http::{Call, Query, Reply};
use crate::sign_in::Claims;

/// The authority that clients take for one without tenants, and so never ask its maker about.
const ADFS: &str = "adfs";
/// What stands for the one tenant there is, for clients that name none.
const ANY_TENANT: [&str; 3] = [ADFS, "common", "organizations"];
/// Longest resource for which a token is asked.
const RESOURCE_BYTES: usize = 500;

/// Metadata_Endpoints: where to sign in, in the form of api-version 2015-01-01. Asked before anybody is known.
pub fn endpoints(call: &Call) -> Reply {
    let base = &call.base;
    Reply::ok(json!({
        "galleryEndpoint": base,
        "graphEndpoint": base,
        "portalEndpoint": base,
        "authentication": { "loginEndpoint": format!("{base}/{ADFS}"), "audiences": [base] },
    }))
}

/// Tenants_List: the one there is.
pub fn tenants(app: &App) -> Reply {
    let id = &app.settings.tenant;
    list_reply(
        vec![json!({ "id": format!("/tenants/{id}"), "tenantId": id, "displayName": "Trainyard" })],
        None,
    )
}

/// SignIn_Configuration: what newer clients read before they sign in (OpenID Connect Discovery 1.0).
pub fn configuration(app: &App, call: &Call, tokens: &str) -> Result<Reply, ApiError> {
    let tenant = call.parameters.get("tenantId");
    if !is_ours(app, tenant) {
        return Err(ApiError::NoRoute {
            path: format!("/{}", excerpt(tenant)),
        });
    }
    let base = &call.base;
    Ok(Reply::ok(json!({
        "issuer": format!("{base}/{tenant}{}", if tokens.contains("v2.0") { "/v2.0" } else { "" }),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/authorize"),
        "token_endpoint": format!("{base}/{tenant}/{tokens}"),
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["HS256"],
    })))
}

fn is_ours(app: &App, tenant: &str) -> bool {
    tenant.eq_ignore_ascii_case(&app.settings.tenant)
        || ANY_TENANT.iter().any(|any| any.eq_ignore_ascii_case(tenant))
}

/// Why nobody is signed in.
enum Refusal {
    /// Something is missing or wrong with the form.
    Request(&'static str),
    /// The way of signing in is not served.
    Grant(String),
    /// The client is not known, or its secret is wrong: one answer for both.
    Client,
    /// Too many were wrong.
    Wait(i64),
}

impl Refusal {
    fn reply(&self) -> Reply {
        let say = |status, error: &str, text: String| {
            Reply::json(status, json!({ "error": error, "error_description": text }))
        };
        match self {
            Refusal::Request(text) => say(StatusCode::BAD_REQUEST, "invalid_request", (*text).to_owned()),
            Refusal::Grant(grant) => say(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                format!(
                    "The grant '{grant}' is not served. Use client_credentials with a service principal, or a token \
                     of `trainyard token create`; users with passwords are not known here."
                ),
            ),
            Refusal::Client => say(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "The client is not known here, or its secret is wrong or has expired. `trainyard principal list` \
                 shows the clients, `trainyard principal reset` gives a new secret."
                    .to_owned(),
            ),
            Refusal::Wait(seconds) => say(
                StatusCode::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                format!("Too many wrong secrets. Try again in {seconds} seconds."),
            )
            .text_header(RETRY_AFTER, &seconds.to_string()),
        }
    }
}

/// SignIn_Token: a service principal's secret for a token (RFC 6749 section 4.4).
pub fn token(app: &Arc<App>, call: &Call) -> Result<Reply, ApiError> {
    let reply = match sign_in(app, call)? {
        Ok((credential, principal)) => {
            let form = Query::parse(&String::from_utf8_lossy(&call.body));
            let resource = form.get("resource").or(form.get("scope")).unwrap_or(&call.base);
            Reply::ok(grant(app, call, resource, &credential, &principal))
        }
        Err(refusal) => refusal.reply(),
    };
    // As RFC 6749 section 5.1 has it.
    Ok(reply.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

type SignedIn = Result<(Credential, Principal), Refusal>;

fn sign_in(app: &App, call: &Call) -> Result<SignedIn, ApiError> {
    let Ok(form) = std::str::from_utf8(&call.body).map(Query::parse) else {
        return Ok(Err(Refusal::Request(
            "The body is no form. Send it form-encoded.",
        )));
    };
    let asked = |name| form.get(name).filter(|value: &&str| !value.is_empty());
    if !is_ours(app, call.parameters.get("tenantId")) {
        return Ok(Err(Refusal::Request(
            "The tenant is not known here. `GET /tenants` tells the one there is, and /adfs stands for it.",
        )));
    }
    match asked("grant_type") {
        Some("client_credentials") => {}
        Some(other) => return Ok(Err(Refusal::Grant(excerpt(other)))),
        None => {
            return Ok(Err(Refusal::Request(
                "grant_type is missing. Use client_credentials.",
            )));
        }
    }
    let (Some(id), Some(secret)) = (asked("client_id"), asked("client_secret")) else {
        return Ok(Err(Refusal::Request("Send client_id and client_secret.")));
    };
    let resource = form.get("resource").or(form.get("scope")).unwrap_or_default();
    if resource.len() > RESOURCE_BYTES {
        return Ok(Err(Refusal::Request(
            "The resource is too long. Use the server's address.",
        )));
    }
    let now = app.now();
    let peer = call.peer.0;
    if let Some(seconds) = app.attempts.wait(peer, id, now.as_second()) {
        warn!(client = %excerpt(id), ?peer, "too many wrong secrets; the sign-in is not looked at");
        return Ok(Err(Refusal::Wait(seconds)));
    }
    // The hash is looked up whatever the id is: a wrong id costs the same time as a wrong secret.
    let hash = hash(secret);
    let found = app.read(|s| Ok(s.credential_by_hash(CredentialKind::Secret, &hash)?))?;
    let fits = |(c, p): &(Credential, Principal)| p.app_id.eq_ignore_ascii_case(id) && c.holds(now);
    let Some(found) = found.filter(fits) else {
        app.attempts.note(peer, id, now.as_second());
        warn!(client = %excerpt(id), ?peer, "a sign-in was refused: the client is not known or its secret is wrong");
        return Ok(Err(Refusal::Client));
    };
    Ok(Ok(found))
}

/// Managed_Identity: a token for whoever knows the path, on this machine. Every other asker learns nothing.
pub fn identity(app: &Arc<App>, call: &Call) -> Result<Reply, ApiError> {
    let hidden = || ApiError::NoRoute {
        path: IDENTITIES.to_owned(),
    };
    if !app.settings.managed_identity {
        return Err(hidden());
    }
    if !call.peer.is_of_this_machine(&call.headers) {
        warn!(peer = ?call.peer.0, "a managed identity was asked for from elsewhere, or through a proxy");
        return Err(hidden());
    }
    let path = call.parameters.get("identity");
    let found = app.read(|s| Ok(s.credential_by_hash(CredentialKind::Identity, &hash(path))?))?;
    let (credential, principal) = found.ok_or_else(hidden)?;
    let header = |name| call.headers.get(name).and_then(|value| value.to_str().ok());
    let form = String::from_utf8_lossy(&call.body);
    let form = Query::parse(&form);
    let (marked, resource) = if call.operation.method == axum::http::Method::GET {
        // Who can make a browser or server of this machine ask cannot add a header.
        (header("secret") == Some(path), call.query.get("resource"))
    } else {
        (
            header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            form.get("resource"),
        )
    };
    if !marked {
        return Err(ApiError::invalid(
            "Metadata",
            "Send the header 'Metadata: true' with POST, or 'secret' with GET.",
        ));
    }
    let resource = resource.filter(|resource| (1..=RESOURCE_BYTES).contains(&resource.len()));
    let resource = resource.ok_or_else(|| {
        ApiError::invalid(
            "resource",
            format!("Send resource, 1 to {RESOURCE_BYTES} bytes: the server's address."),
        )
    })?;
    Ok(Reply::ok(grant(app, call, resource, &credential, &principal))
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// A token as it is answered: all values are texts, as clients of that time read them.
fn grant(app: &App, call: &Call, resource: &str, credential: &Credential, principal: &Principal) -> Value {
    // A scope of the newer form, `https://host/.default`, means the resource before it.
    let resource = resource.strip_suffix("/.default").unwrap_or(resource);
    let now = app.now().as_second();
    let last = credential.expires.map_or(i64::MAX, Timestamp::as_second);
    let exp = (now + i64::from(app.settings.token_seconds)).min(last);
    let tenant = &app.settings.tenant;
    let claims = Claims {
        aud: resource.to_owned(),
        iss: format!("{}/{tenant}/", call.base),
        iat: now,
        nbf: now,
        exp,
        appid: principal.app_id.clone(),
        oid: principal.app_id.clone(),
        sub: principal.app_id.clone(),
        tid: tenant.clone(),
        ver: "1.0".to_owned(),
        cid: credential.id.clone(),
    };
    info!(
        principal = principal.name,
        app_id = principal.app_id,
        kind = credential.kind.as_str(),
        "signed in"
    );
    json!({
        "token_type": "Bearer",
        "expires_in": (exp - now).to_string(),
        "ext_expires_in": (exp - now).to_string(),
        "expires_on": exp.to_string(),
        "not_before": now.to_string(),
        "resource": resource,
        "access_token": app.ports.sign_in_key.token(&claims),
    })
}
