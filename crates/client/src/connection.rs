//! One kept connection. Nothing runs in the background: the connection moves while a call on it is awaited.

use std::error::Error;
use std::pin::Pin;

use http::request::Request;
use http::response::Parts;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use crate::endpoint::Stream;

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// A connection that carries one call at a time.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once the connection has ended.
    driver: Option<Driver>,
}

/// How a call ended without an answer.
pub(crate) enum Refused {
    /// The connection had ended before anything was sent: the request is handed back, to be tried on another.
    Unsent(Box<Request<Full<Bytes>>>),
    /// Anything else: the server may have acted on it.
    Broken(Failure),
}

impl Connection {
    pub(crate) async fn open(stream: Stream) -> hyper::Result<Self> {
        match stream {
            Stream::Tcp(stream) => Self::handshake(TokioIo::new(stream)).await,
            Stream::Unix(stream) => Self::handshake(TokioIo::new(stream)).await,
        }
    }

    async fn handshake<T>(io: T) -> hyper::Result<Self>
    where
        T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(io).await?;
        Ok(Self {
            sender,
            driver: Some(Box::pin(connection)),
        })
    }

    /// Sends a request and takes its whole answer, of at most `most` bytes.
    pub(crate) async fn call(
        &mut self,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<(Parts, Bytes), Refused> {
        let Self { sender, driver } = self;
        let exchange = async {
            if let Err(gone) = sender.ready().await {
                return Err(if gone.is_closed() {
                    Refused::Unsent(Box::new(request))
                } else {
                    Refused::Broken(gone.into())
                });
            }
            let response = sender.try_send_request(request).await.map_err(|mut refused| {
                match refused.take_message() {
                    Some(request) => Refused::Unsent(Box::new(request)),
                    None => Refused::Broken(refused.into_error().into()),
                }
            })?;
            read(response, most).await.map_err(Refused::Broken)
        };
        drive(driver, exchange).await
    }

    /// Whether another call may be sent on it, as far as is known.
    pub(crate) fn is_open(&self) -> bool {
        self.driver.is_some() && !self.sender.is_closed()
    }
}

async fn read(response: http::Response<Incoming>, most: usize) -> Result<(Parts, Bytes), Failure> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, most).collect().await?.to_bytes();
    Ok((parts, body))
}

/// Awaits `work` while moving the connection that it needs.
async fn drive<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    if let Some(connection) = driver {
        tokio::select! {
            done = &mut work => return done,
            // Its error, if any, reaches the call itself.
            _ = connection => {}
        }
        *driver = None;
    }
    work.await
}
