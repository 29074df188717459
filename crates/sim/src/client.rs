//! Requests to the real router, without a socket and without a runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use trainyard_server::App;

use crate::{Broken, Checked, rule};

/// The admin token.
pub const TOKEN: &str = "simulated";
/// The only subscription.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";
/// The only resource group, as a path.
pub const GROUP: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/sim";

/// Polls of one future before it counts as waiting for something.
const POLLS: u32 = 100;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, null when there is none or it is no JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
    /// ETag.
    pub etag: Option<String>,
    /// Azure-AsyncOperation and Location, without scheme and host.
    pub follow: Option<(String, String)>,
}

impl Answer {
    /// A member of the body, by JSON pointer.
    pub fn at(&self, pointer: &str) -> &Value {
        self.body.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// A text of the body, by JSON pointer.
    pub fn word(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or("")
    }
}

/// Path of a resource below the group.
pub fn resource(path: &str) -> String {
    format!("{GROUP}/providers/Microsoft.BatchAI/{path}")
}

/// Runs a future that waits for nothing: the inline store answers at once.
fn at_once<T>(future: impl Future<Output = T>) -> Checked<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return Ok(done);
        }
    }
    Err(Broken::new("a request waits for something that never comes"))
}

/// Sends one request. A 500 breaks a rule whatever was asked.
pub fn send(app: &Arc<App>, method: &Method, target: &str, body: Option<&Value>) -> Checked<Answer> {
    let version = if target.contains("api-version=") {
        ""
    } else if target.contains('?') {
        "&api-version=2018-05-01"
    } else {
        "?api-version=2018-05-01"
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("{target}{version}"))
        .header("host", "sim")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
        .map_err(|error| Broken::new(format!("no request: {error}")))?;
    let (parts, body) = at_once(app.answer(request))?.into_parts();
    let bytes = at_once(body.collect())?
        .map_err(|error| Broken::new(format!("the body broke off: {error}")))?
        .to_bytes();
    let header = |name: &str| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some(value.strip_prefix("http://sim").unwrap_or(value).to_owned())
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let answer = Answer {
        status: parts.status.as_u16(),
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
        etag: header("etag"),
        follow: header("azure-asyncoperation").zip(header("location")),
    };
    rule!(
        answer.status < 500,
        "{method} {target} was answered {}: {}",
        answer.status,
        answer.text
    );
    rule!(
        answer.status < 400 || !answer.word("/error/code").is_empty(),
        "{method} {target} was refused with {} and no ARM error: {}",
        answer.status,
        answer.text
    );
    Ok(answer)
}
