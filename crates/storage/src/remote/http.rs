//! Calls of stores: small, without a body, each within a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

/// How long it may take to reach a store.
pub const REACHED_WITHIN: Duration = Duration::from_secs(5);
/// How long a whole call may take.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// The longest answer that is read: a page of a listing has some hundred bytes an entry.
const LONGEST_ANSWER: u64 = 16 << 20;
/// How many calls to one account may wait at a time, so that a store that hangs does not take all threads.
const CALLS_AT_A_TIME: usize = 32;
/// Where systems keep the certificates that they trust.
const TRUSTED: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The methods that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// See whether it is there.
    Head,
    /// Make.
    Put,
}

/// What a store answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Why there is no answer. No text of it holds an address, since addresses hold signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Too many calls wait.
    #[error("{CALLS_AT_A_TIME} calls wait for its answers already")]
    Busy,
    /// It did not answer in time.
    #[error("it does not answer within {} seconds", .0.as_secs())]
    Late(Duration),
    /// There is no such host.
    #[error("its host is not known")]
    NoHost,
    /// It could not be reached, or broke off.
    #[error("{0}")]
    Broken(String),
}

/// Calls one account's store.
#[derive(Debug)]
pub struct Caller {
    agent: Agent,
    waiting: AtomicUsize,
}

/// Counts a call while it lasts.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Caller {
    /// One that trusts whom this machine trusts.
    pub fn new() -> Caller {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::Specific(Arc::new(trusted())))
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(REACHED_WITHIN))
            .timeout_global(Some(ANSWERED_WITHIN))
            .user_agent("trainyard")
            .tls_config(tls)
            .build();
        Caller {
            agent: Agent::new_with_config(agent),
            waiting: AtomicUsize::new(0),
        }
    }

    /// One call.
    pub fn call(&self, method: Method, url: &str) -> Result<Answer, NoAnswer> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= CALLS_AT_A_TIME {
            return Err(NoAnswer::Busy);
        }
        let answer = match method {
            Method::Get => self.agent.get(url).call(),
            Method::Head => self.agent.head(url).call(),
            Method::Put => self.agent.put(url).send_empty(),
        };
        let mut answer = answer.map_err(no_answer)?;
        let body = answer.body_mut().with_config().limit(LONGEST_ANSWER);
        Ok(Answer {
            body: body.read_to_string().map_err(no_answer)?,
            status: answer.status().as_u16(),
        })
    }
}

fn trusted() -> Vec<Certificate<'static>> {
    let bundle = TRUSTED
        .iter()
        .find_map(|path| std::fs::read(path).ok())
        .unwrap_or_default();
    parse_pem(&bundle)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        })
        .collect()
}

fn no_answer(error: ureq::Error) -> NoAnswer {
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            NoAnswer::Late(REACHED_WITHIN)
        }
        ureq::Error::Timeout(_) => NoAnswer::Late(ANSWERED_WITHIN),
        ureq::Error::HostNotFound => NoAnswer::NoHost,
        ureq::Error::Io(error) => NoAnswer::Broken(error.kind().to_string()),
        ureq::Error::Rustls(error) => NoAnswer::Broken(error.to_string()),
        ureq::Error::Tls(what) => NoAnswer::Broken(what.to_owned()),
        // Among others these hold the address.
        _ => NoAnswer::Broken("what it says is no answer of HTTP".to_owned()),
    }
}
