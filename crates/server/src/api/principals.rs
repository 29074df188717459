//! Service principals: who signs in, with which secrets. A secret is made once, shown once, stored as a hash.

use std::sync::Arc;

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use trainyard_domain::name::excerpt;
use trainyard_store::{Credential, CredentialKind, Principal, Snapshot};

use super::grants::{Grant, body, secret};
use super::list as list_reply;
use crate::App;
use crate::access::{Caller, hash};
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::ops::Access;

/// How long a secret holds, in days: the least, the most, and what is usual.
const DAYS: (u32, u32, u32) = (1, 3650, 365);
/// Most secrets of one principal.
const SECRETS: usize = 10;
/// Beneath what the path of each managed identity lies.
pub const IDENTITIES: &str = "/trainyard/msi/";

fn show(principal: &Principal, credentials: &[Credential], tenant: &str) -> Value {
    json!({
        "appId": principal.app_id,
        "name": principal.name,
        "tenant": tenant,
        "role": principal.role.as_str(),
        "scope": principal.scope,
        "created": principal.created.to_string(),
        "credentials": credentials.iter().map(show_credential).collect::<Vec<_>>(),
    })
}

fn show_credential(credential: &Credential) -> Value {
    let mut shown = json!({
        "id": credential.id,
        "kind": credential.kind.as_str(),
        "created": credential.created.to_string(),
    });
    if let Some(expires) = credential.expires {
        shown["expires"] = Value::String(expires.to_string());
    }
    shown
}

/// Principals_List: those at, or below, what the caller owns.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let shown = app.read(|s| {
        let mut shown = Vec::new();
        for principal in s.principals()? {
            if call.caller.may(Access::Own, &principal.scope) {
                let credentials = s.credentials(&principal.app_id)?;
                shown.push(show(&principal, &credentials, &app.settings.tenant));
            }
        }
        Ok(shown)
    })?;
    Ok(list_reply(shown, None))
}

#[derive(Deserialize)]
struct Days {
    days: Option<u32>,
    #[serde(default)]
    append: bool,
}

impl Days {
    fn read(call: &Call) -> Result<Days, ApiError> {
        if call.body.is_empty() {
            return Ok(Days {
                days: None,
                append: false,
            });
        }
        body(call, "days and append, or nothing")
    }

    /// A new secret that holds so long, and what is stored of it.
    fn secret(&self, app: &App, app_id: &str) -> Result<(String, Credential), ApiError> {
        let (least, most, usual) = DAYS;
        let days = self.days.unwrap_or(usual);
        if !(least..=most).contains(&days) {
            return Err(ApiError::invalid(
                "days",
                format!("A secret cannot hold for {days} days. Use {least} to {most}."),
            ));
        }
        let text = secret(app);
        let credential = credential(app, app_id, CredentialKind::Secret, &text);
        let expires = credential.created + SignedDuration::from_hours(24 * i64::from(days));
        let credential = Credential {
            expires: Some(expires),
            ..credential
        };
        Ok((text, credential))
    }
}

fn credential(app: &App, app_id: &str, kind: CredentialKind, text: &str) -> Credential {
    Credential {
        id: app.ports.random.uuid().to_string(),
        app_id: app_id.to_owned(),
        kind,
        hash: hash(text),
        created: app.now(),
        expires: None,
    }
}

fn target(app_id: &str) -> String {
    format!("/trainyard/principals/{app_id}")
}

/// Principals_Create: an owner gives rights at, or below, its own scope.
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let grant = Grant::read(app, &call)?;
    let principal = Principal {
        app_id: app.ports.random.uuid().to_string(),
        name: grant.name,
        role: grant.role,
        scope: grant.scope,
        created: app.now(),
    };
    let (password, credential) = Days::read(&call)?.secret(app, &principal.app_id)?;
    let mut shown = show(
        &principal,
        std::slice::from_ref(&credential),
        &app.settings.tenant,
    );
    shown["password"] = Value::String(password);
    let now = app.now();
    app.write(move |tx| {
        tx.insert_principal(&principal)?;
        tx.insert_credential(&credential)?;
        let Principal {
            name, role, scope, ..
        } = &principal;
        let detail = format!("{name} {} at {scope}", role.as_str());
        Ok(tx.insert_event(&call.event(now, target(&principal.app_id), Some(detail)))?)
    })
    .await?;
    Ok(Reply::json(StatusCode::CREATED, shown))
}

/// The principal of a path, if the caller owns its scope.
fn owned(
    s: &Snapshot<'_>,
    caller: &Caller,
    app_id: &str,
    action: &'static str,
) -> Result<Principal, ApiError> {
    let found = s.principal(app_id)?;
    let found = found.ok_or_else(|| ApiError::not_found(Kind::Principal, excerpt(app_id)))?;
    caller.check(Access::Own, &found.scope, action)?;
    Ok(found)
}

impl Call {
    fn principal(&self, s: &Snapshot<'_>) -> Result<Principal, ApiError> {
        let app_id = self.parameters.get("appId");
        owned(s, &self.caller, app_id, self.operation.action)
    }
}

/// Principals_Reset: a new secret in place of all others, or beside them, so that no client is ever without.
pub async fn reset(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let wish = Days::read(&call)?;
    let app_id = call.parameters.get("appId").to_ascii_lowercase();
    let (password, credential) = wish.secret(app, &app_id)?;
    let (now, tenant) = (app.now(), app.settings.tenant.clone());
    let shown = app.write(move |tx| {
        let principal = call.principal(tx)?;
        if !wish.append {
            tx.remove_credentials(&app_id, CredentialKind::Secret)?;
        }
        tx.remove_expired_credentials(&app_id, now)?;
        let is_secret = |c: &&Credential| c.kind == CredentialKind::Secret;
        if tx.credentials(&app_id)?.iter().filter(is_secret).count() >= SECRETS {
            return Err(ApiError::invalid(
                "append",
                format!("{app_id} has {SECRETS} secrets. Remove one, or reset without append."),
            ));
        }
        tx.insert_credential(&credential)?;
        let detail = if wish.append {
            "one more secret"
        } else {
            "a new secret"
        };
        tx.insert_event(&call.event(now, target(&app_id), Some(detail.to_owned())))?;
        Ok(show(&principal, &tx.credentials(&app_id)?, &tenant))
    });
    let mut shown = shown.await?;
    shown["password"] = Value::String(password);
    Ok(Reply::ok(shown))
}

/// Principals_SetIdentity: a new path for a managed identity; an old one is worth nothing from then on.
pub async fn identity(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    if !app.settings.managed_identity {
        return Err(ApiError::invalid(
            "",
            "Managed identities are not served here. Set sign_in.managed_identity = true and start the server again.",
        ));
    }
    let app_id = call.parameters.get("appId").to_ascii_lowercase();
    let text = secret(app);
    let credential = credential(app, &app_id, CredentialKind::Identity, &text);
    let now = app.now();
    app.write(move |tx| {
        call.principal(tx)?;
        tx.remove_credentials(&app_id, CredentialKind::Identity)?;
        tx.insert_credential(&credential)?;
        Ok(tx.insert_event(&call.event(now, target(&app_id), Some("a managed identity".to_owned())))?)
    })
    .await?;
    Ok(Reply::ok(
        json!({ "path": format!("{IDENTITIES}{text}"), "secret": text }),
    ))
}

/// Principals_RemoveCredential: at once, with the tokens that were got with it.
pub async fn remove_credential(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let now = app.now();
    app.write(move |tx| {
        let principal = call.principal(tx)?;
        let id = call.parameters.get("credentialId");
        if !tx.remove_credential(&principal.app_id, id)? {
            return Err(ApiError::not_found(Kind::Credential, excerpt(id)));
        }
        let event = call.event(now, target(&principal.app_id), Some(format!("credential {id}")));
        Ok(tx.insert_event(&event)?)
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Principals_Revoke: at once, with all its secrets and tokens.
pub async fn revoke(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let now = app.now();
    app.write(move |tx| {
        let principal = call.principal(tx)?;
        tx.remove_principal(&principal.app_id)?;
        Ok(tx.insert_event(&call.event(now, target(&principal.app_id), Some(principal.name)))?)
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
