//! Polls of long-running operations: pure reads, stable after a restart (api.md section 2).

use axum::http::{HeaderValue, StatusCode, header};
use trainyard_store::{Operation, OperationStatus};
use trainyard_wire::envelope::{self, ErrorBody, Progress};

use super::CallLinks;
use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};

fn find(app: &App, call: &Call) -> Result<Operation, ApiError> {
    let id = call.parameters.get("operationId").to_ascii_lowercase();
    let subscription = call.subscription()?.key();
    let found = app.read(|s| Ok(s.operation(&id)?))?;
    found
        .filter(|operation| operation.subscription.key() == subscription)
        .ok_or_else(|| ApiError::not_found(Kind::Operation, trainyard_domain::name::excerpt(&id)))
}

/// `operationresults`: always 200, with the state in the body.
pub fn result(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let operation = find(app, call)?;
    let urls = CallLinks::of(call).urls(&operation);
    let body = |progress: Progress| Reply::ok(envelope::operation(&urls, operation.started, &progress));
    Ok(match operation.status.clone() {
        OperationStatus::InProgress => {
            body(Progress::InProgress).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        }
        OperationStatus::Succeeded { ended } => body(Progress::Succeeded {
            end: ended,
            resource: operation.resource.clone(),
        }),
        OperationStatus::Failed { ended, error } => body(Progress::Failed {
            end: ended,
            error: ErrorBody::new(error.code, error.message),
        }),
    })
}

/// `operationstatuses`: 202 until the end, then 204.
pub fn status(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let operation = find(app, call)?;
    Ok(match &operation.status {
        OperationStatus::InProgress => CallLinks::of(call).accepted(&operation),
        OperationStatus::Succeeded { .. } => Reply::empty(StatusCode::NO_CONTENT),
        OperationStatus::Failed { error, .. } => {
            let body = ErrorBody::new(error.code.as_str(), error.message.as_str());
            Reply::json(StatusCode::CONFLICT, envelope::error(&body))
        }
    })
}
