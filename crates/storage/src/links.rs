//! Signed, expiring links to single files (behaviour.md section 7: `downloadUrl`).
//!
//! A link is `/files/{account}/{files|blobs}/{share}/{path}?se={expiry}&sp=rl&sr=f&sig={signature}`. Account,
//! kind, share, path and expiry are signed as what they mean, not as they are spelt, since HTTP clients
//! may spell percent-encoding anew.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Sha256;

use crate::{AccountName, Kind, Place, RelativePath, ShareName};

/// What the path of every link starts with.
pub const LINK_PREFIX: &str = "/files";

/// Permission (read and list) and resource (a file), as the service's own links had them.
const PERMISSION: &str = "rl";
const RESOURCE: &str = "f";

/// Signed first, so that the same key can never be made to sign something else.
const PURPOSE: &str = "trainyard output file link 1";

/// All but the unreserved characters of RFC 3986.
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why a link gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It does not have the form of a link.
    #[error("this link is incomplete or malformed: list the output files again for a new one")]
    Malformed,
    /// It was changed, or signed by another key.
    #[error("this link's signature does not fit: list the output files again for a new one")]
    BadSignature,
    /// Its time is over.
    #[error("this link has expired: list the output files again for a new one")]
    Expired,
}

/// The secret that links are signed with.
#[derive(Clone)]
pub struct LinkKey {
    /// 32 bytes, filled up with zeros to SHA-256's block as HMAC itself would.
    block: [u8; 64],
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl LinkKey {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&secret);
        Self { block }
    }

    /// Path and query of a link to the file at `file`, good before `expires` (whole seconds, rounded down).
    #[must_use]
    pub fn sign(&self, file: &Place, expires: Timestamp) -> String {
        let expires = whole_seconds(expires);
        let signature = URL_SAFE_NO_PAD.encode(self.mac(file, expires).finalize().into_bytes());
        let mut link = format!("{LINK_PREFIX}/{}/{}", file.account, file.kind.folder());
        for segment in std::iter::once(file.share.as_str()).chain(file.path.segments()) {
            link.push('/');
            link.extend(utf8_percent_encode(segment, ENCODED));
        }
        let expires = expires.to_string();
        let expires = utf8_percent_encode(&expires, ENCODED);
        format!("{link}?se={expires}&sp={PERMISSION}&sr={RESOURCE}&sig={signature}")
    }

    /// The one file that a link stands for. `path` and `query` are those of the request, not decoded.
    ///
    /// # Errors
    /// [`LinkError`]; a link is expired only if its signature is good.
    pub fn verify(&self, path: &str, query: &str, now: Timestamp) -> Result<Place, LinkError> {
        let file = read_path(path).ok_or(LinkError::Malformed)?;
        let (expires, signature) = read_query(query).ok_or(LinkError::Malformed)?;
        // Compares in constant time.
        self.mac(&file, expires)
            .verify_slice(&signature)
            .map_err(|_| LinkError::BadSignature)?;
        if now >= expires {
            return Err(LinkError::Expired);
        }
        Ok(file)
    }

    /// Every part goes in behind its length, so that no two links are signed alike.
    fn mac(&self, file: &Place, expires: Timestamp) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.block.into());
        let expires = expires.as_second().to_string();
        for part in [
            PURPOSE,
            file.account.as_str(),
            file.kind.folder(),
            file.share.as_str(),
            file.path.as_str(),
            &expires,
            PERMISSION,
            RESOURCE,
        ] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

fn whole_seconds(time: Timestamp) -> Timestamp {
    let seconds = time.as_nanosecond().div_euclid(1_000_000_000);
    i64::try_from(seconds)
        .ok()
        .and_then(|s| Timestamp::from_second(s).ok())
        .unwrap_or(Timestamp::MIN)
}

fn read_path(path: &str) -> Option<Place> {
    let mut segments = path
        .strip_prefix(LINK_PREFIX)?
        .strip_prefix('/')?
        .split('/')
        .map(decoded);
    let account = AccountName::new(&segments.next()??).ok()?;
    let kind = Kind::from_folder(&segments.next()??)?;
    let share = ShareName::new(&segments.next()??).ok()?;
    let segments = segments.collect::<Option<Vec<_>>>()?;
    // A path that is not normalised was not made by `sign`; a decoded `/` must not become a separator.
    let plain = |segment: &String| !matches!(segment.as_str(), "" | ".") && !segment.contains('/');
    if segments.is_empty() || !segments.iter().all(plain) {
        return None;
    }
    let path = RelativePath::parse(&segments.join("/")).ok()?;
    Some(Place {
        account,
        kind,
        share,
        path,
    })
}

/// Each parameter once, in any order, and no other.
fn read_query(query: &str) -> Option<(Timestamp, Vec<u8>)> {
    let (mut expires, mut signature, mut permission, mut resource) = (None, None, None, None);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=')?;
        let known = match name {
            "se" => &mut expires,
            "sig" => &mut signature,
            "sp" => &mut permission,
            "sr" => &mut resource,
            _ => return None,
        };
        if known.replace(decoded(value)?).is_some() {
            return None;
        }
    }
    if permission? != PERMISSION || resource? != RESOURCE {
        return None;
    }
    let expires: Timestamp = expires?.parse().ok()?;
    // Fractions are never written, and are not signed.
    if expires.subsec_nanosecond() != 0 {
        return None;
    }
    Some((expires, URL_SAFE_NO_PAD.decode(signature?).ok()?))
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}
