//! What is sent back.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED, PRAGMA, RETRY_AFTER,
};
use axum::http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use trainyard_domain::state::Meta;
use uuid::Uuid;

/// An answer.
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Body,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

impl Reply {
    /// No body.
    pub fn empty(status: StatusCode) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: Body::empty(),
        }
    }

    /// A JSON body.
    pub fn json(status: StatusCode, body: impl Serialize) -> Reply {
        match serde_json::to_vec(&body) {
            Ok(text) => Reply {
                status,
                headers: vec![(CONTENT_TYPE, JSON)],
                body: Body::from(text),
            },
            // What is rendered here has string keys only, so this cannot be reached by input.
            Err(_) => Reply::empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// 200 with a JSON body.
    pub fn ok(body: impl Serialize) -> Reply {
        Reply::json(StatusCode::OK, body)
    }

    /// 200 with a single resource: ETag and Last-Modified go with it (api.md section 1).
    pub fn resource(meta: &Meta, body: impl Serialize) -> Reply {
        Reply::ok(body)
            .text_header(ETAG, &meta.etag())
            .text_header(LAST_MODIFIED, &http_date(meta.modified))
    }

    /// 200 with plain text.
    pub fn text(text: String) -> Reply {
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        Reply {
            status: StatusCode::OK,
            headers: vec![(CONTENT_TYPE, kind)],
            body: Body::from(text),
        }
    }

    /// A body of another kind.
    pub fn body(status: StatusCode, body: Body) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// 202: both URLs to follow the operation by, see `lro`.
    pub fn accepted(result_url: &str, status_url: &str) -> Reply {
        Reply::empty(StatusCode::ACCEPTED)
            .text_header(HeaderName::from_static("azure-asyncoperation"), result_url)
            .text_header(axum::http::header::LOCATION, status_url)
            .header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.headers.push((name, value));
        self
    }

    /// With one more header, left out if it cannot be written.
    #[must_use]
    pub fn text_header(self, name: HeaderName, value: &str) -> Reply {
        match HeaderValue::from_str(value) {
            Ok(value) => self.header(name, value),
            Err(_) => self,
        }
    }

    /// The response, with what every answer carries (api.md section 1).
    pub fn into_response(self, id: Uuid) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let id = id.to_string();
        for name in [
            "x-ms-request-id",
            "x-ms-correlation-request-id",
            "x-ms-routing-request-id",
            "request-id",
        ] {
            if let Ok(value) = HeaderValue::from_str(&id) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        for (name, value) in [
            ("x-ms-ratelimit-remaining-subscription-reads", "11999"),
            ("x-ms-ratelimit-remaining-subscription-writes", "1199"),
            ("x-ms-ratelimit-remaining-subscription-deletes", "14999"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(EXPIRES, HeaderValue::from_static("-1"));
        headers.extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)));
        response
    }
}

/// A time as HTTP writes it (RFC 9110 section 5.6.7).
pub fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
