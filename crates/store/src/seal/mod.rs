//! Secrets at rest: sealed with a key that is never in the database.
//!
//! [`SealKey`] is one key. A [`KeyRing`] holds those at hand: the first seals, all of them open, so that a key can be
//! replaced while the server serves. Where they come from is its [`Origin`]; a file is written by this module alone.
//!
//! A sealed value is `format (1 byte) | key id (8) | nonce (24) | ciphertext and tag`, by
//! XChaCha20-Poly1305. Format, key id and the caller's context are authenticated with it, so a value moved to
//! another row or field does not open.

mod file;
mod ring;
mod text;

use std::io;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
pub use file::KeyError;
pub use ring::{KeyRing, Origin};
use sha2::{Digest, Sha256};
pub use text::TextError;

/// Fills a buffer with random bytes: [`system_random`] in production, seeded in the simulator.
pub type RandomBytes = Arc<dyn Fn(&mut [u8]) -> io::Result<()> + Send + Sync>;

/// Randomness of the operating system.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the system's randomness comes in"
)]
pub fn system_random() -> RandomBytes {
    Arc::new(|buffer| getrandom::fill(buffer).map_err(io::Error::from))
}

const FORMAT: u8 = 1;
const KEY_LENGTH: usize = 32;
const KEY_ID_LENGTH: usize = 8;
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
const HEADER_LENGTH: usize = 1 + KEY_ID_LENGTH;

/// Bytes by which a sealed value is longer than the plain one.
pub const OVERHEAD: usize = HEADER_LENGTH + NONCE_LENGTH + TAG_LENGTH;

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The value is no sealed value, or one of a newer format.
    #[error("the stored secret is not in a form this version of Trainyard knows")]
    Format,
    /// The value was sealed with another key.
    #[error(
        "a stored secret was sealed with the key {found}, and {origin} gives {here}; give the key {found} as one more \
         line there, or put the one back that belongs to this store"
    )]
    OtherKey {
        /// Id of the key that sealed the value.
        found: String,
        /// Ids of the keys at hand.
        here: String,
        /// Where those come from.
        origin: String,
    },
    /// The value was changed, or belongs to another resource or field.
    #[error("the stored secret does not belong here or was changed; it cannot be opened")]
    Tampered,
    /// The value is too long for the cipher.
    #[error("the secret is too long to be sealed")]
    TooLong,
    /// No randomness for the nonce.
    #[error("no random bytes could be had to seal a secret")]
    Random(#[source] io::Error),
}

/// The key that seals the secrets of one data folder. Cheap to clone.
#[derive(Clone)]
pub struct SealKey {
    cipher: Arc<XChaCha20Poly1305>,
    id: [u8; KEY_ID_LENGTH],
    random: RandomBytes,
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SealKey")
            .field("id", &hex(&self.id))
            .finish_non_exhaustive()
    }
}

impl SealKey {
    /// A key of the given bytes; `random` gives the nonces.
    pub fn from_bytes(bytes: &[u8; KEY_LENGTH], random: RandomBytes) -> Self {
        let digest = Sha256::new()
            .chain_update(b"trainyard seal key id\0")
            .chain_update(bytes)
            .finalize();
        let mut id = [0; KEY_ID_LENGTH];
        id.copy_from_slice(&digest[..KEY_ID_LENGTH]);
        Self {
            cipher: Arc::new(XChaCha20Poly1305::new(&Key::from(*bytes))),
            id,
            random,
        }
    }

    /// Tells it from other keys, and says nothing of it.
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    /// Seals `plain` for `context`: what tells this secret from every other one, such as the uid of its
    /// resource and the name of its field.
    ///
    /// # Errors
    /// [`SealError::Random`] or [`SealError::TooLong`].
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LENGTH];
        (self.random)(&mut nonce).map_err(SealError::Random)?;
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.id);
        let aad = [&sealed[..], context].concat();
        sealed.extend_from_slice(&nonce);
        let payload = Payload {
            msg: plain,
            aad: &aad,
        };
        let text = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::TooLong)?;
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// The plain value of what [`SealKey::seal`] gave for the same `context`.
    ///
    /// # Errors
    /// [`SealError`]: another format, another key, another context, or changed bytes.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (header, rest) = sealed.split_at_checked(HEADER_LENGTH).ok_or(SealError::Format)?;
        let (nonce, text) = rest
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or(SealError::Format)?;
        if header[0] != FORMAT {
            return Err(SealError::Format);
        }
        if header[1..] != self.id {
            return Err(SealError::OtherKey {
                found: hex(&header[1..]),
                here: self.id(),
                origin: Origin::Memory.to_string(),
            });
        }
        let aad = [header, context].concat();
        let payload = Payload { msg: text, aad: &aad };
        self.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| SealError::Tampered)
    }
}

/// The id of the key that sealed a value.
fn sealed_by(sealed: &[u8]) -> Option<&[u8]> {
    match sealed.get(..HEADER_LENGTH)? {
        [FORMAT, id @ ..] => Some(id),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes counted up from `start`: no two calls alike.
    fn counting(start: u8) -> RandomBytes {
        let next = std::sync::atomic::AtomicU8::new(start);
        Arc::new(move |buffer| {
            buffer.fill_with(|| next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            Ok(())
        })
    }

    fn key(byte: u8) -> SealKey {
        SealKey::from_bytes(&[byte; KEY_LENGTH], counting(0))
    }

    #[test]
    fn two_seals_of_one_secret_differ() {
        let key = key(1);
        let (one, two) = (
            key.seal(b"c", b"secret").expect("sealed"),
            key.seal(b"c", b"secret").expect("sealed"),
        );
        assert_ne!(one, two);
        assert!(!one.windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn another_key_is_named() {
        let sealed = key(1).seal(b"c", b"secret").expect("sealed");
        assert!(matches!(
            key(2).open(b"c", &sealed),
            Err(SealError::OtherKey { .. })
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

        #[test]
        fn what_is_sealed_opens_in_its_context_only(
            plain in proptest::collection::vec(any::<u8>(), 0..200),
            context in proptest::collection::vec(any::<u8>(), 0..40),
            other in proptest::collection::vec(any::<u8>(), 0..40),
            place in any::<proptest::sample::Index>(),
            flip in 1u8..,
        ) {
            let key = key(1);
            let sealed = key.seal(&context, &plain).expect("sealed");
            prop_assert_eq!(sealed.len(), plain.len() + OVERHEAD);
            prop_assert_eq!(&key.open(&context, &sealed).expect("opened"), &plain);
            if other != context {
                prop_assert!(matches!(key.open(&other, &sealed), Err(SealError::Tampered)));
            }
            let mut changed = sealed.clone();
            changed[place.index(sealed.len())] ^= flip;
            prop_assert!(key.open(&context, &changed).is_err());
            prop_assert!(key.open(&context, &sealed[..place.index(sealed.len())]).is_err());
        }
    }
}
