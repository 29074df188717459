//! Calls by path.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::connection::{Connection, Refused};
use crate::{ClientError, Endpoint};

/// The api-version of every call that names none.
pub(crate) const API_VERSION: &str = "2018-05-01";
/// Most connections kept while idle.
const IDLE_CONNECTIONS: usize = 256;

/// What a client allows a call to take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time for one request with its answer.
    pub request: Duration,
    /// Time for a long-running operation.
    pub operation: Duration,
    /// Bytes of one answer.
    pub answer_bytes: usize,
}

impl Default for Limits {
    /// 30 s for a request, 10 minutes for an operation, 64 MiB.
    fn default() -> Self {
        Self {
            request: Duration::from_secs(30),
            operation: Duration::from_secs(600),
            answer_bytes: 64 << 20,
        }
    }
}

/// A client of one server; calls may run side by side, each on a connection of its own.
pub struct Client {
    endpoint: Endpoint,
    authorization: HeaderValue,
    limits: Limits,
    idle: Mutex<Vec<Connection>>,
}

/// A 2xx answer.
#[derive(Debug)]
pub struct Answer {
    /// Method and path of the call.
    pub(crate) call: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl Answer {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`ClientError::Answer`] when it is not of this shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|source| ClientError::Answer {
            call: self.call.clone(),
            source,
        })
    }
}

impl Client {
    /// A client with the usual limits. The token is sent as `Authorization: Bearer`.
    ///
    /// # Errors
    /// [`ClientError::Address`] when the token cannot stand in a header.
    pub fn new(endpoint: Endpoint, token: &str) -> Result<Self, ClientError> {
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Address {
                url: endpoint.to_string(),
                reason: "the token holds characters that no header may hold",
            })?;
        authorization.set_sensitive(true);
        Ok(Self {
            endpoint,
            authorization,
            limits: Limits::default(),
            idle: Mutex::default(),
        })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it sends.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// GET.
    ///
    /// # Errors
    /// Every [`ClientError`] but those of operations; so with the other calls.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.request(Method::GET, path, None).await
    }

    /// PUT with a JSON body or none.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn put(&self, path: &str, body: Option<&Value>) -> Result<Answer, ClientError> {
        self.request(Method::PUT, path, body).await
    }

    /// PATCH with a JSON body.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.request(Method::PATCH, path, Some(body)).await
    }

    /// POST with a JSON body or none.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Answer, ClientError> {
        self.request(Method::POST, path, body).await
    }

    /// DELETE.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn delete(&self, path: &str) -> Result<Answer, ClientError> {
        self.request(Method::DELETE, path, None).await
    }

    /// Takes what a signed link of this server leads to, from byte `from` on. The link is enough: the token is
    /// not sent, and the link's host is not asked, only this client's server.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn download(&self, url: &str, from: Option<u64>) -> Result<Bytes, ClientError> {
        let path = path_of(url)?;
        let mut request = self.build(Method::GET, path, None)?;
        request.headers_mut().remove(AUTHORIZATION);
        if let Some(from) = from
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={from}-"))
        {
            request.headers_mut().insert(RANGE, range);
        }
        // A signed link's query is as good as a token: it stays out of messages.
        let shown = path.split('?').next().unwrap_or(path);
        self.send(format!("GET {shown}"), request)
            .await
            .map(|answer| answer.body)
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ClientError> {
        let call = format!("{method} {path}");
        self.send(call, self.build(method, &with_api_version(path), body)?)
            .await
    }

    fn build(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.endpoint.host())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Full::new(body))
            .map_err(|_| ClientError::Address {
                url: path.to_owned(),
                reason: "not a path",
            })
    }

    async fn send(&self, call: String, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let limit = self.limits.request;
        match tokio::time::timeout(limit, self.exchange(&call, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Timeout { call, limit }),
        }
    }

    async fn exchange(&self, call: &str, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let mut request = Box::new(request);
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let fresh = kept.is_none();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect(call).await?,
            };
            match connection.call(*request, self.limits.answer_bytes).await {
                Ok((parts, body)) => {
                    self.keep(connection);
                    return accept(call, parts.status, parts.headers, body);
                }
                // The server had closed a kept connection: nothing was sent, so this is no second attempt.
                Err(Refused::Unsent(unsent)) if !fresh => request = unsent,
                Err(Refused::Unsent(_)) => {
                    let source = "the server closed the connection at once".into();
                    return Err(ClientError::Http {
                        call: call.to_owned(),
                        source,
                    });
                }
                Err(Refused::Broken(source)) => {
                    return Err(ClientError::Http {
                        call: call.to_owned(),
                        source,
                    });
                }
            }
        }
    }

    async fn connect(&self, call: &str) -> Result<Connection, ClientError> {
        let stream = self
            .endpoint
            .connect()
            .await
            .map_err(|source| ClientError::Connect {
                endpoint: self.endpoint.to_string(),
                source,
            })?;
        Connection::open(stream)
            .await
            .map_err(|source| ClientError::Http {
                call: call.to_owned(),
                source: source.into(),
            })
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_open() && idle.len() < IDLE_CONNECTIONS {
            idle.push(connection);
        }
    }
}

/// Path and query of an absolute URL, or the path itself.
pub(crate) fn path_of(url: &str) -> Result<&str, ClientError> {
    let refuse = || ClientError::Address {
        url: url.to_owned(),
        reason: "not a link of a server",
    };
    if url.starts_with('/') {
        return Ok(url);
    }
    let (_, rest) = url.split_once("://").ok_or_else(refuse)?;
    rest.find('/').map(|at| &rest[at..]).ok_or_else(refuse)
}

/// Our own paths have no api-version; a path that names one keeps it.
fn with_api_version(path: &str) -> String {
    if path.contains("api-version=") || path.starts_with("/trainyard/") || path == "/healthz" {
        return path.to_owned();
    }
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}api-version={API_VERSION}")
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorMembers,
}

#[derive(Deserialize)]
struct ErrorMembers {
    code: String,
    #[serde(default)]
    message: String,
    target: Option<String>,
}

fn accept(call: &str, status: StatusCode, headers: HeaderMap, body: Bytes) -> Result<Answer, ClientError> {
    let call = call.to_owned();
    if status.is_success() {
        return Ok(Answer {
            call,
            status,
            headers,
            body,
        });
    }
    let error = match serde_json::from_slice::<ErrorBody>(&body) {
        Ok(body) => body.error,
        Err(_) => ErrorMembers {
            code: status.canonical_reason().unwrap_or("UnknownStatus").to_owned(),
            message: "the answer has no error body".to_owned(),
            target: None,
        },
    };
    Err(ClientError::Service {
        call,
        status,
        code: error.code,
        message: error.message,
        target: error.target,
    })
}
