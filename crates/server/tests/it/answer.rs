//! An answer, what holds for every one of them, and the words to ask it.

use axum::http::HeaderMap;
use serde_json::Value;

use crate::house::SECRET;

#[derive(Debug)]
pub struct Answer {
    pub what: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// What holds for every answer.
    pub fn check(&self, may_fail: bool) {
        assert!(self.status < 500 || may_fail, "{self:?} {}", self.text());
        let id = self.header("x-ms-request-id");
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{self:?}");
        for name in [
            "x-ms-correlation-request-id",
            "x-ms-routing-request-id",
            "request-id",
        ] {
            assert_eq!(self.header(name), id);
        }
        for kind in ["reads", "writes", "deletes"] {
            assert!(
                self.header(&format!("x-ms-ratelimit-remaining-subscription-{kind}"))
                    .parse::<u32>()
                    .is_ok()
            );
        }
        assert_eq!(
            (self.header("pragma"), self.header("expires")),
            ("no-cache", "-1")
        );
        // What holds a token is not even kept for a moment (RFC 6749 section 5.1).
        let signs_in = self.what.to_ascii_lowercase().contains("/oauth2/");
        let gives_token = signs_in || self.text().contains("\"access_token\"");
        let cache = self.header("cache-control");
        assert!(
            cache == "no-cache" || (gives_token && cache == "no-store"),
            "{self:?}"
        );
        assert!(
            cache == "no-store" || !self.text().contains("\"access_token\""),
            "{self:?}"
        );
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert!(self.header("strict-transport-security").starts_with("max-age="));
        assert!(!self.text().contains(SECRET), "a secret in {self:?}");
        let kind = self.maybe("content-type").unwrap_or("");
        if kind.starts_with("application/json") && !self.body.is_empty() {
            assert_eq!(kind, "application/json; charset=utf-8");
            assert!(!has_null(&self.json()), "null in {}", self.text());
            assert!(counts_add_up(&self.json()), "counts in {}", self.text());
        }
        if self.status >= 400 && !self.body.is_empty() {
            let body = self.json();
            // A refused sign-in has the form of OAuth 2.0.
            if signs_in && body["error"].is_string() {
                assert!(body["error_description"].is_string(), "{}", self.text());
                return;
            }
            let error = &body["error"];
            assert!(
                error["code"].as_str().is_some_and(|c| !c.is_empty()),
                "{}",
                self.text()
            );
            assert!(
                error["message"].as_str().is_some_and(|m| !m.is_empty()),
                "{}",
                self.text()
            );
        }
        if self.status == 202 && self.headers.contains_key("location") {
            assert!(self.body.is_empty());
            assert_eq!(self.header("retry-after"), "1");
            assert!(self.header("azure-asyncoperation").contains("/operationresults/"));
            assert!(self.header("location").contains("/operationstatuses/"));
        }
    }

    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }

    /// Expects an error; its body.
    pub fn error(self, status: u16, code: &str) -> Value {
        let error = self.expect(status).json()["error"].clone();
        assert_eq!(error["code"], code, "{error}");
        error
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{}: {e}: {}", self.what, self.text()))
    }

    pub fn maybe(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn header(&self, name: &str) -> &str {
        self.maybe(name)
            .unwrap_or_else(|| panic!("{} has no {name}", self.what))
    }

    /// Names of the resources of a list.
    pub fn names(&self) -> Vec<String> {
        let json = self.json();
        json["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Wherever nodes are counted, those by state are all of them.
fn counts_add_up(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let total = members.get("currentNodeCount").and_then(Value::as_u64);
            let counts = members.get("nodeStateCounts").and_then(Value::as_object);
            let sum = counts.map(|c| c.values().filter_map(Value::as_u64).sum::<u64>());
            // The OpenAPI document describes both members.
            let described = members.get("currentNodeCount").is_some_and(Value::is_object);
            (described || total == sum) && members.values().all(counts_add_up)
        }
        Value::Array(values) => values.iter().all(counts_add_up),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
