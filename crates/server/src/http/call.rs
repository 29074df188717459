//! One request of a known operation by a known caller.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use trainyard_domain::ids::Uid;
use trainyard_domain::limits;
use trainyard_domain::name::{GroupName, Name, Region, SubscriptionId};
use trainyard_domain::resource_id::GroupPath;
use trainyard_store::{Event, Page};
use trainyard_wire::ApiVersion;
use uuid::Uuid;

use crate::access::Caller;
use crate::arm_error::ApiError;
use crate::ops::{Operation, Parameters};

/// How the request came in; an extension of the request, http when absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

/// Where a request came from; `None` where it came by the socket in the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub Option<IpAddr>);

impl Peer {
    /// Of the connection, as the listener notes it.
    pub fn of(parts: &Parts) -> Peer {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Peer(address.map(|ConnectInfo(address)| address.ip().to_canonical()))
    }

    /// Whether it was sent on this machine. What a proxy passes on was not, though the proxy itself may be here.
    pub fn is_of_this_machine(self, headers: &HeaderMap) -> bool {
        let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        self.0.is_none_or(|address| address.is_loopback())
            && !passed_on.iter().any(|name| headers.contains_key(*name))
    }
}

/// One request of a known operation by a known caller.
pub struct Call {
    /// Its id, `x-ms-request-id`.
    pub id: Uuid,
    /// Named segments of the path.
    pub parameters: Parameters,
    /// The api-version in which it is answered.
    pub version: ApiVersion,
    /// The query.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, within the limit.
    pub body: Vec<u8>,
    /// Who calls.
    pub caller: Caller,
    /// Where it came from.
    pub peer: Peer,
    /// Base of absolute links.
    pub base: String,
    /// What is called.
    pub operation: &'static Operation,
}

/// A query string, names compared without case.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string. What is not UTF-8 is read with replacement characters.
    pub fn parse(text: &str) -> Query {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Query(pairs.collect())
    }

    /// A parameter, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// A whole number within bounds, if it is there.
    pub fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(ApiError::invalid(
                name,
                format!(
                    "'{}' is not valid for {name}. Use a whole number from {least} to {most}.",
                    trainyard_domain::name::excerpt(text)
                ),
            )),
        }
    }
}

/// Where a page of a list begins behind, in `nextLink`.
const SKIP_TOKEN: &str = "$skiptoken";

impl Call {
    /// The subscription of the path.
    pub fn subscription(&self) -> Result<SubscriptionId, ApiError> {
        Ok(SubscriptionId::new(self.parameters.get("subscriptionId"))?)
    }

    /// The region of the path.
    pub fn region(&self) -> Result<Region, ApiError> {
        Ok(Region::new(self.parameters.get("location"), "location")?)
    }

    /// Subscription and group of the path.
    pub fn group(&self) -> Result<GroupPath, ApiError> {
        Ok(GroupPath {
            subscription: self.subscription()?,
            group: GroupName::new(self.parameters.get("resourceGroupName"))?,
        })
    }

    /// A name of the path. The api-versions since 2018-05-01 take no dots, the older ones do (api.md section 1).
    pub fn name(&self, parameter: &str) -> Result<Name, ApiError> {
        let text = self.parameters.get(parameter);
        let name = Name::new(text, parameter)?;
        if text.contains('.') && !self.version.is_flat() {
            return Err(ApiError::invalid(
                parameter,
                format!(
                    "The name '{text}' is not valid. Use 1 to {} letters, digits, '-' and '_'. A resource of an older \
                     api-version whose name has a dot is reached with api-version={}.",
                    limits::NAME_LENGTH,
                    ApiVersion::V2018_03_01
                ),
            ));
        }
        Ok(name)
    }

    /// Most entries of a page.
    pub fn page_size(&self) -> Result<u32, ApiError> {
        Ok(self
            .query
            .number("maxresults", 1, limits::PAGE_SIZE)?
            .unwrap_or(limits::PAGE_SIZE))
    }

    /// The page that is asked for, with one entry more than its size, to see whether another follows.
    pub fn page(&self) -> Result<Page, ApiError> {
        let after = match self.query.get(SKIP_TOKEN) {
            None => None,
            Some(text) => Some(Uid(text.parse().map_err(|_| {
                ApiError::invalid(
                    SKIP_TOKEN,
                    "The page token is not valid. Follow nextLink as it was given.",
                )
            })?)),
        };
        Ok(Page {
            after,
            limit: self.page_size()? + 1,
        })
    }

    /// Cuts a list got with [`Call::page`] to its size; the link to the next page, if one follows.
    pub fn cut<T>(
        &self,
        mut found: Vec<T>,
        uid: impl Fn(&T) -> Uid,
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        let size = usize::try_from(self.page_size()?).unwrap_or(usize::MAX);
        if found.len() <= size {
            return Ok((found, None));
        }
        found.truncate(size);
        let link = found.last().map(|last| self.next_link(&uid(last).to_string()));
        Ok((found, link))
    }

    /// The link to the page behind `token`.
    pub fn next_link(&self, token: &str) -> String {
        let mut path = String::new();
        for segment in self.operation.path[1..].split('/') {
            let taken = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
            let text = taken.map_or(segment, |name| self.parameters.get(name));
            path.push('/');
            path.extend(utf8_percent_encode(text, SEGMENT));
        }
        let mut link = format!("{}{path}?api-version={}", self.base, self.version);
        for (name, value) in &self.query.0 {
            let own = ["api-version", SKIP_TOKEN]
                .iter()
                .any(|n| n.eq_ignore_ascii_case(name));
            if !own {
                link.push_str(&format!("&{}={}", encode(name), encode(value)));
            }
        }
        link.push_str(&format!("&{SKIP_TOKEN}={}", encode(token)));
        link
    }

    /// Where the list goes on, as given in [`Call::next_link`].
    pub fn skip_token(&self) -> Option<&str> {
        self.query.get(SKIP_TOKEN)
    }

    /// Checks If-Match and If-None-Match against the entity tag of what is there (RFC 9110 section 13).
    pub fn preconditions(&self) -> Preconditions {
        let texts = |name| {
            let values = self.headers.get_all(name).iter();
            let found: Vec<String> = values
                .filter_map(|v| v.to_str().ok())
                .map(str::to_owned)
                .collect();
            (!found.is_empty()).then(|| found.join(","))
        };
        Preconditions {
            matches: texts(header::IF_MATCH),
            none_matches: texts(header::IF_NONE_MATCH),
        }
    }

    /// An event about this call.
    pub fn event(&self, now: jiff::Timestamp, target: impl Into<String>, detail: Option<String>) -> Event {
        Event {
            time: now,
            caller: self.caller.name.clone(),
            action: self.operation.action.to_owned(),
            target: target.into(),
            request: Some(self.id.to_string()),
            detail,
        }
    }
}

const SEGMENT: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'(')
    .remove(b')');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// If-Match and If-None-Match of a request.
#[derive(Debug, Clone)]
pub struct Preconditions {
    matches: Option<String>,
    none_matches: Option<String>,
}

impl Preconditions {
    /// Whether they hold for what is there now.
    pub fn check(&self, etag: Option<&str>) -> Result<(), ApiError> {
        let named = |list: &str| {
            list.split(',').map(str::trim).any(|tag| {
                (tag == "*" && etag.is_some())
                    || etag.is_some_and(|etag| tag.trim_start_matches("W/") == etag)
            })
        };
        let holds =
            self.matches.as_deref().is_none_or(named) && !self.none_matches.as_deref().is_some_and(named);
        if holds {
            Ok(())
        } else {
            Err(ApiError::Precondition)
        }
    }
}

/// Base of absolute links: the public URL, or scheme and Host of the request.
pub fn base_url(public_url: Option<&str>, parts: &Parts) -> Result<String, ApiError> {
    if let Some(url) = public_url {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let scheme = match parts.extensions.get::<Scheme>() {
        Some(Scheme::Https) => "https",
        Some(Scheme::Http) | None => "http",
    };
    let given = parts
        .headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let host = given
        .or_else(|| parts.uri.authority().map(|a| a.as_str()))
        .unwrap_or("localhost");
    let legal = host
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.authority().map(|a| a.as_str() == host));
    if legal != Some(true) || host.contains('@') {
        return Err(ApiError::invalid(
            "Host",
            "The Host header is not valid. Send a host name and a port.",
        ));
    }
    Ok(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(matches: Option<&str>, none_matches: Option<&str>) -> Preconditions {
        Preconditions {
            matches: matches.map(str::to_owned),
            none_matches: none_matches.map(str::to_owned),
        }
    }

    #[test]
    fn preconditions_follow_the_rfc() {
        let tag = Some("\"0x1\"");
        assert!(conditions(None, None).check(None).is_ok());
        assert!(conditions(Some("\"0x2\", \"0x1\""), None).check(tag).is_ok());
        assert!(conditions(Some("\"0x2\""), None).check(tag).is_err());
        assert!(conditions(Some("*"), None).check(None).is_err());
        assert!(conditions(None, Some("*")).check(tag).is_err());
        assert!(conditions(None, Some("*")).check(None).is_ok());
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("Api-Version=2018-05-01&directory=a%20b%2Fc+d");
        assert_eq!(query.get("api-version"), Some("2018-05-01"));
        assert_eq!(query.get("directory"), Some("a b/c d"));
        assert!(
            Query::parse("maxresults=0")
                .number("maxresults", 1, 1000)
                .is_err()
        );
    }
}
