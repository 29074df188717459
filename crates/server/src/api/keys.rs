//! The key that seals secrets. Only ids of keys are shown, which say nothing of them.

use std::error::Error as _;
use std::sync::Arc;

use serde_json::{Value, json};
use trainyard_store::{RotateError, StoreError};

use crate::App;
use crate::arm_error::ApiError;
use crate::http::{Call, Reply};

/// What the audit trail calls it.
const TARGET: &str = "/trainyard/key";

/// Key_Get: where the keys come from, and how many secrets each has sealed; the first seals.
pub fn show(app: &App) -> Result<Reply, ApiError> {
    let store = &app.ports.store;
    let mut sealed = store.sealed_by()?;
    let ids = store.key_ids();
    let here = ids.iter().map(|id| row(id, sealed.remove(id), true));
    let mut keys: Vec<Value> = here.collect();
    keys.extend(sealed.iter().map(|(id, count)| row(id, Some(*count), false)));
    Ok(Reply::ok(
        json!({ "origin": store.key_origin().to_string(), "keys": keys }),
    ))
}

fn row(id: &str, sealed: Option<u64>, here: bool) -> Value {
    json!({ "id": id, "sealed": sealed.unwrap_or_default(), "here": here })
}

/// Key_Rotate: one step, to be asked for until it is done.
pub async fn rotate(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let step = app.ports.store.rotate().map_err(explain)?;
    if step.done {
        let now = app.now();
        let detail = format!("{} secrets are sealed by the key {}", step.moved, step.key);
        app.write(move |tx| Ok(tx.insert_event(&call.event(now, TARGET.to_owned(), Some(detail)))?))
            .await?;
    }
    Ok(Reply::ok(
        json!({ "key": step.key, "moved": step.moved, "done": step.done }),
    ))
}

/// Who may rotate owns everything here, and is told what to do.
fn explain(error: RotateError) -> ApiError {
    match error {
        RotateError::Store(StoreError::Secret(error)) => ApiError::invalid("", error.to_string()),
        RotateError::Store(error) => error.into(),
        RotateError::Key(error) => match error.source() {
            Some(source) => ApiError::invalid("", format!("{error}: {source}")),
            None => ApiError::invalid("", error.to_string()),
        },
        error @ (RotateError::OneKey { .. } | RotateError::Left { .. }) => {
            ApiError::invalid("", error.to_string())
        }
    }
}
