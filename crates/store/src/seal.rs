//! Secrets at rest: sealed with a key that lies beside the database, in a file only its owner can read.
//!
//! A sealed value is `format (1 byte) | key id (8) | nonce (24) | ciphertext and tag`, by
//! XChaCha20-Poly1305. Format, key id and the caller's context are authenticated with it, so a value moved to
//! another row or field does not open.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

use crate::files::Draft;

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

/// First word of a key file.
const KEY_FILE_FORMAT: &str = "trainyard-seal-key-1";
/// A key file is far shorter; more is not read.
const KEY_FILE_LIMIT: u64 = 256;

/// Bytes by which a sealed value is longer than the plain one.
pub const OVERHEAD: usize = HEADER_LENGTH + NONCE_LENGTH + TAG_LENGTH;

/// Why the key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others than the owner may read or write the key file.
    #[error(
        "the key file {} has mode {mode:03o}, so others than its owner could use it; \
         run chmod 600 on it, and renew the secrets if somebody may have read it",
        path.display()
    )]
    Open {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "the file {} is no Trainyard key file; put the right one back from your backup",
        path.display()
    )]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The key file could not be read or created.
    #[error("the key file {} cannot be {action}", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// `"read"` or `"created"`.
        action: &'static str,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// No randomness for a new key.
    #[error("no random bytes could be had for a new key")]
    Random(#[source] io::Error),
}

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The value is no sealed value, or one of a newer format.
    #[error("the stored secret is not in a form this version of Trainyard knows")]
    Format,
    /// The value was sealed with another key.
    #[error(
        "the stored secret was sealed with key {found}, but the key file holds key {here}; \
         put the key file that belongs to this database back"
    )]
    OtherKey {
        /// Id of the key that sealed the value.
        found: String,
        /// Id of the key at hand.
        here: String,
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

    /// The key in the file at `path`; a new one is made there, with mode 0600, when the file does not exist.
    ///
    /// # Errors
    /// [`KeyError`]: also when others than the owner may read the file, or it is damaged.
    pub fn load_or_create(path: &Path, random: RandomBytes) -> Result<Self, KeyError> {
        if let Some(bytes) = load(path)? {
            return Ok(Self::from_bytes(&bytes, random));
        }
        let mut bytes = [0; KEY_LENGTH];
        random(&mut bytes).map_err(KeyError::Random)?;
        match create(path, &bytes) {
            Ok(()) => Ok(Self::from_bytes(&bytes, random)),
            // Somebody was faster: theirs is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match load(path)? {
                Some(bytes) => Ok(Self::from_bytes(&bytes, random)),
                None => Err(KeyError::File {
                    path: path.to_owned(),
                    action: "created",
                    source: error,
                }),
            },
            Err(source) => Err(KeyError::File {
                path: path.to_owned(),
                action: "created",
                source,
            }),
        }
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
                here: hex(&self.id),
            });
        }
        let aad = [header, context].concat();
        let payload = Payload { msg: text, aad: &aad };
        self.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| SealError::Tampered)
    }
}

/// The bytes in the key file, `None` when there is no such file.
fn load(path: &Path) -> Result<Option<[u8; KEY_LENGTH]>, KeyError> {
    let failed = |source| KeyError::File {
        path: path.to_owned(),
        action: "read",
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = Vec::new();
    file.take(KEY_FILE_LIMIT).read_to_end(&mut text).map_err(failed)?;
    match parse(&text) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(KeyError::NotAKey {
            path: path.to_owned(),
        }),
    }
}

fn parse(text: &[u8]) -> Option<[u8; KEY_LENGTH]> {
    let (format, key) = std::str::from_utf8(text).ok()?.trim_end().split_once(' ')?;
    if format != KEY_FILE_FORMAT {
        return None;
    }
    STANDARD.decode(key).ok()?.try_into().ok()
}

fn create(path: &Path, bytes: &[u8; KEY_LENGTH]) -> io::Result<()> {
    let (draft, mut file) = Draft::of(path)?;
    writeln!(file, "{KEY_FILE_FORMAT} {}", STANDARD.encode(bytes))?;
    draft.publish(path, false)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

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

    #[test]
    fn the_key_file_is_private_and_kept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        let sealed = SealKey::load_or_create(&path, system_random())
            .expect("new key")
            .seal(b"job/7 password", b"secret")
            .expect("sealed");
        let mode = std::fs::metadata(&path).expect("key file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = SealKey::load_or_create(&path, system_random()).expect("kept key");
        assert_eq!(again.open(b"job/7 password", &sealed).expect("opened"), b"secret");
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("folder").count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn a_key_file_open_to_others_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        SealKey::load_or_create(&path, system_random()).expect("new key");
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("chmod");
        let refused = SealKey::load_or_create(&path, system_random()).expect_err("readable by the group");
        assert!(refused.to_string().contains("mode 640"), "{refused}");
    }

    #[test]
    fn a_damaged_key_file_is_never_replaced() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        for damaged in ["", "trainyard-seal-key-1 AAAA\n", "trainyard-seal-key-9 AAAA\n"] {
            std::fs::write(&path, damaged).expect("written");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("chmod");
            assert!(matches!(
                SealKey::load_or_create(&path, system_random()),
                Err(KeyError::NotAKey { .. })
            ));
            assert_eq!(std::fs::read_to_string(&path).expect("still there"), damaged);
        }
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
