//! Addresses of stores.

use std::fmt;

use percent_encoding::utf8_percent_encode;

use crate::links::ENCODED;

/// An address that is none of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it as https://HOST, or http://HOST:PORT, with no user, query or slash at its end")]
pub struct BadEndpoint;

/// Where a store is reached: scheme, host, and a path before everything in it where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    /// Where the host begins in `url`, and where the path does.
    host: usize,
    path: usize,
}

impl Endpoint {
    /// Takes an address such as `https://acc.blob.core.windows.net`.
    ///
    /// # Errors
    /// [`BadEndpoint`] for another scheme, a user, a query, or a slash at the end.
    pub fn parse(url: &str) -> Result<Endpoint, BadEndpoint> {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or(BadEndpoint)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c);
        let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || rest.ends_with('/') || !rest.chars().all(legal) {
            return Err(BadEndpoint);
        }
        let endpoint = Endpoint {
            url: url.to_owned(),
            host: url.len() - rest.len(),
            path: url.len() - rest.len() + authority.len(),
        };
        let port = endpoint.port_text();
        if endpoint.host().is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(BadEndpoint);
        }
        Ok(endpoint)
    }

    /// Host and port as they stand in the address, and in the `Host` header.
    pub fn authority(&self) -> &str {
        &self.url[self.host..self.path]
    }

    /// The host alone; an IPv6 address keeps its brackets.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match self.port_text() {
            Some(port) => &authority[..authority.len() - port.len() - 1],
            None => authority,
        }
    }

    /// The port, where one is written.
    pub fn port(&self) -> Option<u16> {
        self.port_text().and_then(|port| port.parse().ok())
    }

    fn port_text(&self) -> Option<&str> {
        let (_, port) = self.authority().rsplit_once(':')?;
        // The last colon of an IPv6 address without a port stands within its brackets.
        (!port.ends_with(']')).then_some(port)
    }

    /// Whether it is reached by TLS.
    pub fn is_https(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// The path of something in the store, which begins with a slash and is ready for a request.
    pub fn path_of<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> String {
        let mut path = self.url[self.path..].to_owned();
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, ENCODED));
        }
        if path.is_empty() { "/".to_owned() } else { path }
    }

    /// The whole address of a path and its query.
    pub fn url(&self, path: &str, query: &str) -> String {
        let origin = &self.url[..self.path];
        if query.is_empty() {
            format!("{origin}{path}")
        } else {
            format!("{origin}{path}?{query}")
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// `name=value&…` in the given order, ready for a request.
pub fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (name, value) in pairs {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(utf8_percent_encode(name, ENCODED));
        query.push('=');
        query.extend(utf8_percent_encode(value, ENCODED));
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, host, port, https) in [
            ("https://acc.blob.example.org", "acc.blob.example.org", None, true),
            ("http://127.0.0.1:10000/acc", "127.0.0.1", Some(10000), false),
            ("http://[::1]:9000", "[::1]", Some(9000), false),
            ("http://[::1]", "[::1]", None, false),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(
                (endpoint.host(), endpoint.port(), endpoint.is_https()),
                (host, port, https),
                "{url}"
            );
            assert_eq!(endpoint.to_string(), url);
        }
        let azurite = Endpoint::parse("http://127.0.0.1:10000/acc").unwrap();
        assert_eq!(azurite.path_of(["c", "a b", "ü"]), "/acc/c/a%20b/%C3%BC");
        assert_eq!(azurite.url("/acc/c", "x=1"), "http://127.0.0.1:10000/acc/c?x=1");
        assert_eq!(Endpoint::parse("https://h").unwrap().path_of([]), "/");
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            "",
            "acc.blob.example.org",
            "ftp://h",
            "https://",
            "https://h/",
            "https:///x",
            "https://u:p@h",
            "https://h?x=1",
            "https://h:x",
            "https://h:99999",
            "https://:1",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }
}
