//! What can go wrong.

use std::time::Duration;

use http::StatusCode;

/// Why a call did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be used.
    #[error("{url:?} is not an address of a server: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing answers there.
    #[error("no connection to {endpoint}")]
    Connect {
        /// Where.
        endpoint: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("{call} failed on its way")]
    Http {
        /// Method and path.
        call: String,
        /// What happened.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing came within the time allowed.
    #[error("{call} got no answer within {} s", limit.as_secs())]
    Timeout {
        /// Method and path.
        call: String,
        /// The time allowed.
        limit: Duration,
    },
    /// The service refused.
    #[error("{call}: {} {code}: {message}", status.as_u16())]
    Service {
        /// Method and path.
        call: String,
        /// HTTP status.
        status: StatusCode,
        /// The service's code (errors.md), or the status's name where the body has none.
        code: String,
        /// Its text.
        message: String,
        /// The member at fault, if named.
        target: Option<String>,
    },
    /// A long-running operation ended without success.
    #[error("{call}: the operation ended {status}: {code}: {message}")]
    Operation {
        /// Method and path of the call that began it.
        call: String,
        /// `Failed` or `Canceled`.
        status: String,
        /// The service's code.
        code: String,
        /// Its text.
        message: String,
    },
    /// The answer is not of the shape it should have.
    #[error("the answer to {call} cannot be read")]
    Answer {
        /// Method and path.
        call: String,
        /// Where it differs.
        #[source]
        source: serde_json::Error,
    },
}

impl ClientError {
    /// Whether the service said that the thing is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Service { status, .. } if *status == StatusCode::NOT_FOUND)
    }

    /// Whether nobody answers at the address.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }
}
