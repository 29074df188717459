//! Tokens: made once, shown once, stored as hashes.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use trainyard_domain::name::excerpt;
use trainyard_store::Token;

use super::grants::{Grant, secret};
use super::list as list_reply;
use crate::App;
use crate::access;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::ops::Access;

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
    let grant = Grant::read(app, &call)?;
    let text = secret(app);
    let token = Token {
        id: app.ports.random.uuid().to_string(),
        name: grant.name,
        hash: access::hash(&text),
        role: grant.role,
        scope: grant.scope,
        created: app.now(),
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
