//! Imports of old deployments, and lists of an old endpoint.

use http::Uri;
use serde_json::{Value, json};

use crate::client::path_of;
use crate::{Answer, Client, ClientError, Endpoint};

/// Most pages of one list: a thousand resources each.
const PAGES: usize = 10_000;

impl Client {
    /// Sends one batch of an import: it is made, or with `check` looked at only.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn import(
        &self,
        id: &str,
        subscription: &str,
        check: bool,
        items: &[&Value],
    ) -> Result<Answer, ClientError> {
        let body = json!({"id": id, "subscription": subscription, "check": check, "items": items});
        self.post("/trainyard/imports", Some(&body)).await
    }

    /// Takes one page of what an import made away; `after` is `next` of the page before.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn undo_import(&self, id: &str, after: Option<&str>) -> Result<Answer, ClientError> {
        let query = after.map(|after| format!("?after={after}")).unwrap_or_default();
        self.delete(&format!("/trainyard/imports/{id}{query}")).await
    }

    /// All entries of a list, page by page. A link to a next page that leads to another server is not followed: the
    /// token would go there.
    ///
    /// # Errors
    /// See [`Client::get`]; [`ClientError::Address`] for such a link.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, ClientError> {
        let mut found = Vec::new();
        let mut next = Some(path.to_owned());
        for _ in 0..PAGES {
            let Some(path) = next.take() else {
                return Ok(found);
            };
            let mut page: Value = self.get(&path).await?.json()?;
            if let Some(Value::Array(entries)) = page.get_mut("value").map(Value::take) {
                found.extend(entries);
            }
            let link = page.get("nextLink").and_then(Value::as_str);
            next = link.map(|link| self.own_path(link)).transpose()?;
        }
        Err(ClientError::Address {
            url: path.to_owned(),
            reason: "its list has no end",
        })
    }

    fn own_path(&self, link: &str) -> Result<String, ClientError> {
        let path = path_of(link)?;
        let own = match (self.endpoint(), link.parse::<Uri>()) {
            _ if link.starts_with('/') => true,
            (Endpoint::Tcp(own), Ok(uri)) => {
                let port = uri.port_u16().unwrap_or(80);
                let host = uri.host().unwrap_or_default();
                uri.scheme_str() == Some("http") && format!("{host}:{port}").eq_ignore_ascii_case(own)
            }
            (Endpoint::Unix(_), _) => true,
            (Endpoint::Tcp(_), Err(_)) => false,
        };
        if own {
            return Ok(path.to_owned());
        }
        Err(ClientError::Address {
            url: link.split('?').next().unwrap_or_default().to_owned(),
            reason: "a list of the old service goes on at another address, which is not followed",
        })
    }
}
