//! Where the server is.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use tokio::net::{TcpStream, UnixStream};

use crate::ClientError;

/// Longest path that fits in a socket address, without its final zero byte.
const SOCKET_PATH_BYTES: usize = 107;

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Host and port, as in a URL.
    Tcp(String),
    /// A Unix socket; the path may be of any length.
    Unix(PathBuf),
}

/// An open connection of either kind.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Endpoint {
    /// Takes `http://HOST:PORT`, with or without a slash at its end.
    ///
    /// # Errors
    /// [`ClientError::Address`] for another scheme (TLS included) or an address with a path.
    pub fn from_url(url: &str) -> Result<Self, ClientError> {
        let refuse = |reason| ClientError::Address {
            url: url.to_owned(),
            reason,
        };
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| refuse("it has to begin with http://"))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let parsed: http::uri::Authority = authority
            .parse()
            .map_err(|_| refuse("write it as http://HOST:PORT"))?;
        if parsed.host().is_empty() || parsed.as_str().contains('@') {
            return Err(refuse("write it as http://HOST:PORT"));
        }
        let port = parsed.port_u16().unwrap_or(80);
        Ok(Self::Tcp(format!("{}:{port}", parsed.host())))
    }

    /// What the `Host` header says.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Tcp(authority) => authority,
            Self::Unix(_) => "localhost",
        }
    }

    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(authority) => {
                let stream = TcpStream::connect(authority.as_str()).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(path) => connect_unix(path).await.map(Stream::Unix),
        }
    }
}

/// Connects to a socket whose path may be longer than a socket address holds: its folder is opened and named by
/// its descriptor.
async fn connect_unix(path: &Path) -> io::Result<UnixStream> {
    if path.as_os_str().len() <= SOCKET_PATH_BYTES {
        return UnixStream::connect(path).await;
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd")
        .join(folder.as_raw_fd().to_string())
        .join(name);
    UnixStream::connect(short).await
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(authority) => write!(f, "http://{authority}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        let tcp = |text: &str| Endpoint::Tcp(text.to_owned());
        assert_eq!(
            Endpoint::from_url("http://127.0.0.1:8080/").unwrap(),
            tcp("127.0.0.1:8080")
        );
        assert_eq!(Endpoint::from_url("http://[::1]:9").unwrap(), tcp("[::1]:9"));
        assert_eq!(Endpoint::from_url("http://host").unwrap(), tcp("host:80"));
        for bad in [
            "https://host",
            "host:80",
            "http://",
            "http://host/path",
            "http://me@host",
        ] {
            assert!(Endpoint::from_url(bad).is_err(), "{bad}");
        }
    }
}
