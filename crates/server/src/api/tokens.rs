//! Tokens: made once, shown once, stored as hashes.

use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use trainyard_domain::name::excerpt;
use trainyard_domain::resource_id::ResourceId;
use trainyard_store::{Role, Token};

use super::list as list_reply;
use crate::App;
use crate::access;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::ops::Access;

/// Marks a token as one of ours, for people and for secret scanners.
const PREFIX: &str = "trainyard-";

#[derive(Deserialize)]
struct Wish {
    name: String,
    role: String,
    #[serde(default = "everywhere")]
    scope: String,
}

fn everywhere() -> String {
    "/".to_owned()
}

fn show(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "role": token.role.as_str(),
        "scope": token.scope,
        "created": token.created.to_string(),
    })
}

/// Tokens_List: those at, or below, what the caller owns.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let tokens = app.read(|s| Ok(s.tokens()?))?;
    let own = |token: &&Token| call.caller.may(Access::Own, &token.scope);
    Ok(list_reply(tokens.iter().filter(own).map(show).collect(), None))
}

/// Tokens_Create: an owner gives rights at, or below, its own scope.
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let wish: Wish = serde_json::from_slice(&call.body).map_err(|error| {
        ApiError::invalid(
            "",
            format!("The body cannot be read: {error}. Send name, role and scope."),
        )
    })?;
    let token = check(app, &wish)?;
    call.caller
        .check(Access::Own, &token.scope, call.operation.action)?;
    let mut secret = [0; 32];
    app.ports.random.fill(&mut secret);
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let token = Token {
        hash: access::hash(&text),
        ..token
    };
    let mut shown = show(&token);
    shown["token"] = Value::String(text);
    let now = app.now();
    app.write(move |tx| {
        tx.insert_token(&token)?;
        let detail = format!("{} {} at {}", token.name, token.role.as_str(), token.scope);
        Ok(tx.insert_event(&call.event(now, format!("/trainyard/tokens/{}", token.id), Some(detail)))?)
    })
    .await?;
    Ok(Reply::json(StatusCode::CREATED, shown))
}

fn check(app: &App, wish: &Wish) -> Result<Token, ApiError> {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    if wish.name.trim().is_empty() || wish.name.len() > 100 || !wish.name.chars().all(plain) {
        return Err(ApiError::invalid(
            "name",
            "Use 1 to 100 printable ASCII characters for the token's name.",
        ));
    }
    let role = Role::parse(&wish.role).ok_or_else(|| {
        let asked = excerpt(&wish.role);
        ApiError::invalid(
            "role",
            format!("The role '{asked}' is not known. Use Owner, Contributor or Reader."),
        )
    })?;
    Ok(Token {
        id: app.ports.random.uuid().to_string(),
        name: wish.name.trim().to_owned(),
        hash: [0; 32],
        role,
        scope: scope(app, &wish.scope)?,
        created: app.now(),
    })
}

/// A scope: everywhere, or the id of a subscription, group or workspace.
fn scope(app: &App, text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    if text == "/" {
        return Ok(text.to_owned());
    }
    let wrong = || {
        ApiError::invalid(
            "scope",
            format!(
                "The scope '{}' is not known. Use / or the id of a subscription, group or workspace.",
                excerpt(text)
            ),
        )
    };
    let key = ResourceId::new(text, "scope")?.key();
    let segments: Vec<&str> = key[1..].split('/').collect();
    let known = |id: &str| app.settings.subscriptions.iter().any(|s| s.key() == id);
    match segments[..] {
        ["subscriptions", id]
        | ["subscriptions", id, "resourcegroups", _]
        | [
            "subscriptions",
            id,
            "resourcegroups",
            _,
            "providers",
            "microsoft.batchai",
            "workspaces",
            _,
        ] if known(id) => Ok(key),
        _ => Err(wrong()),
    }
}

/// Tokens_Revoke: at once, by an owner of its scope.
pub async fn revoke(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let id = call.parameters.get("tokenId").to_owned();
    let now = app.now();
    app.write(move |tx| {
        let found = tx.tokens()?.into_iter().find(|token| token.id == id);
        let Some(found) = found else {
            return Err(ApiError::not_found(Kind::Token, excerpt(&id)));
        };
        call.caller
            .check(Access::Own, &found.scope, call.operation.action)?;
        tx.remove_token(&found.id)?;
        Ok(tx.insert_event(&call.event(now, format!("/trainyard/tokens/{}", found.id), Some(found.name)))?)
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
