//! Long-running operations (api.md section 2).

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::client::path_of;
use crate::{Answer, Client, ClientError};

/// Seconds between polls when the server names none, and the most we wait when it names more.
const POLL_SECONDS: (u64, u64) = (1, 15);

#[derive(Deserialize)]
struct Operation {
    status: String,
    error: Option<OperationError>,
}

#[derive(Deserialize)]
struct OperationError {
    code: String,
    #[serde(default)]
    message: String,
}

impl Client {
    /// Waits for what an answer began: at once done unless it is a 202 with an operation to poll.
    ///
    /// # Errors
    /// [`ClientError::Operation`] when it failed, [`ClientError::Timeout`] when it takes longer than
    /// [`crate::Limits::operation`], or those of a call.
    pub async fn finish(&self, begun: Answer) -> Result<(), ClientError> {
        let Some(url) = operation_url(&begun) else {
            return Ok(());
        };
        let limit = self.limits().operation;
        let pause = retry_after(&begun.headers).unwrap_or(POLL_SECONDS.0);
        match tokio::time::timeout(limit, self.poll(&begun.call, path_of(url)?, pause)).await {
            Ok(end) => end,
            Err(_) => Err(ClientError::Timeout {
                call: begun.call,
                limit,
            }),
        }
    }

    async fn poll(&self, call: &str, path: &str, pause: u64) -> Result<(), ClientError> {
        loop {
            let answer = self.get(path).await?;
            let operation: Operation = answer.json()?;
            match (operation.status.as_str(), operation.error) {
                ("Succeeded", _) => return Ok(()),
                ("Failed" | "Canceled", error) => return Err(ended(call, operation.status, error)),
                _ => {
                    let pause = retry_after(&answer.headers).unwrap_or(pause);
                    tokio::time::sleep(Duration::from_secs(pause)).await;
                }
            }
        }
    }
}

fn ended(call: &str, status: String, error: Option<OperationError>) -> ClientError {
    let (code, message) = error.map_or_else(
        || ("Unknown".to_owned(), "no reason is given".to_owned()),
        |error| (error.code, error.message),
    );
    ClientError::Operation {
        call: call.to_owned(),
        status,
        code,
        message,
    }
}

fn operation_url(answer: &Answer) -> Option<&str> {
    if answer.status != StatusCode::ACCEPTED {
        return None;
    }
    answer.headers.get("azure-asyncoperation")?.to_str().ok()
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let seconds: u64 = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(seconds.min(POLL_SECONDS.1))
}
