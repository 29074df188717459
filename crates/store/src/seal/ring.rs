//! The keys at hand.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::file::{self, KeyError};
use super::text::{self, KeyBytes};
use super::{KEY_LENGTH, RandomBytes, SealError, SealKey, sealed_by};

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file that Trainyard writes.
    File(PathBuf),
    /// A variable of the environment, by name.
    Variable(&'static str),
    /// A credential that the service manager handed over, by its path.
    Credential(PathBuf),
    /// Bytes of the caller's own: tests and the simulator.
    Memory,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path) => write!(out, "the key file {}", path.display()),
            Origin::Variable(name) => write!(out, "the variable {name}"),
            Origin::Credential(path) => write!(out, "the credential {}", path.display()),
            Origin::Memory => out.write_str("this process"),
        }
    }
}

/// The keys of one store: the first seals, all of them open.
pub struct KeyRing {
    keys: RwLock<Keys>,
    origin: Origin,
    random: RandomBytes,
}

struct Keys {
    /// Those of the origin.
    current: Vec<SealKey>,
    /// Those that the origin has no more: what was read before they went can still be opened.
    retired: Vec<SealKey>,
}

/// Whether a new store may be made with a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fresh {
    /// A key of its own is made where there is none.
    Make,
    /// There is sealed data: a new key would open nothing of it.
    Never,
}

impl From<SealKey> for KeyRing {
    fn from(key: SealKey) -> KeyRing {
        let random = key.random.clone();
        KeyRing::new(vec![key], Origin::Memory, random)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KeyRing")
            .field("origin", &self.origin)
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}

impl KeyRing {
    fn new(current: Vec<SealKey>, origin: Origin, random: RandomBytes) -> KeyRing {
        KeyRing {
            keys: RwLock::new(Keys {
                current,
                retired: Vec::new(),
            }),
            origin,
            random,
        }
    }

    fn of_bytes(bytes: &[KeyBytes], origin: Origin, random: RandomBytes) -> KeyRing {
        let keys = bytes
            .iter()
            .map(|bytes| SealKey::from_bytes(bytes, random.clone()));
        KeyRing::new(keys.collect(), origin, random.clone())
    }

    /// The keys of a text that somebody else keeps, one a line; they are never written anywhere.
    ///
    /// # Errors
    /// [`KeyError::Text`].
    pub fn of_text(text: &str, origin: Origin, random: RandomBytes) -> Result<KeyRing, KeyError> {
        match text::parse(text) {
            Ok(bytes) => Ok(KeyRing::of_bytes(&bytes, origin, random)),
            Err(reason) => Err(KeyError::Text {
                origin: origin.to_string(),
                reason,
            }),
        }
    }

    /// The keys in the file at `path`; a new one is made there, with mode 0600, when neither it nor `store` exists.
    ///
    /// # Errors
    /// [`KeyError`]: also when others than the owner may read the file, or it is damaged.
    pub fn of_file(path: &Path, store: &Path, random: RandomBytes) -> Result<KeyRing, KeyError> {
        let fresh = if store.exists() { Fresh::Never } else { Fresh::Make };
        KeyRing::open_file(path, fresh, random)
    }

    fn open_file(path: &Path, fresh: Fresh, random: RandomBytes) -> Result<KeyRing, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            action: "created",
            source,
        };
        file::remove_drafts(path).map_err(failed)?;
        let bytes = match file::load(path)? {
            Some(bytes) => bytes,
            None if fresh == Fresh::Never => {
                return Err(KeyError::Missing {
                    path: path.to_owned(),
                });
            }
            None => {
                let new = vec![new_key(&random)?];
                file::create(path, &new).map_err(failed)?;
                new
            }
        };
        // Behind a link it is the file itself that is replaced, not the link.
        let path = path.canonicalize().map_err(failed)?;
        Ok(KeyRing::of_bytes(&bytes, Origin::File(path), random))
    }

    /// Where the keys come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Ids of the keys, that of the one that seals first.
    pub fn ids(&self) -> Vec<String> {
        self.read().current.iter().map(SealKey::id).collect()
    }

    /// Seals by the first key, as [`SealKey::seal`].
    ///
    /// # Errors
    /// Those of [`SealKey::seal`].
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.first()?.seal(context, plain)
    }

    /// Opens by the key that sealed, as [`SealKey::open`].
    ///
    /// # Errors
    /// Those of [`SealKey::open`]; [`SealError::OtherKey`] when none of the keys sealed it.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let id = sealed_by(sealed).ok_or(SealError::Format)?;
        let fits = {
            let keys = self.read();
            let mut all = keys.current.iter().chain(&keys.retired);
            all.find(|key| key.id == id).cloned()
        };
        match fits {
            Some(key) => key.open(context, sealed),
            None => Err(SealError::OtherKey {
                found: super::hex(id),
                here: self.ids().join(" and "),
                origin: self.origin.to_string(),
            }),
        }
    }

    /// Whether a sealed value is sealed by the first key.
    pub(crate) fn is_sealed_by_first(&self, sealed: &[u8]) -> bool {
        let first = self.read();
        let first = first.current.first();
        first.is_some_and(|key| sealed_by(sealed) == Some(key.id.as_slice()))
    }

    /// Puts a new key before the one there is, in the file first. From then on it seals.
    pub(crate) fn add_new(&self, path: &Path) -> Result<(), KeyError> {
        let new = new_key(&self.random)?;
        let mut bytes = self.in_file(path)?;
        bytes.insert(0, new);
        file::replace(path, &bytes)?;
        let key = SealKey::from_bytes(&new, self.random.clone());
        self.write().current.insert(0, key);
        Ok(())
    }

    /// Takes all keys but the first out of the file.
    pub(crate) fn keep_first(&self, path: &Path) -> Result<(), KeyError> {
        let mut bytes = self.in_file(path)?;
        bytes.truncate(1);
        file::replace(path, &bytes)?;
        let mut keys = self.write();
        let keys = &mut *keys;
        keys.retired.extend(keys.current.drain(1..));
        Ok(())
    }

    /// What the file holds, which must be the keys at hand: a key that is nowhere else must not be lost.
    fn in_file(&self, path: &Path) -> Result<Vec<KeyBytes>, KeyError> {
        let missing = || KeyError::Missing {
            path: path.to_owned(),
        };
        let bytes = file::load(path)?.ok_or_else(missing)?;
        let found = bytes
            .iter()
            .map(|bytes| SealKey::from_bytes(bytes, self.random.clone()).id());
        if !found.eq(self.ids()) {
            return Err(KeyError::Changed {
                path: path.to_owned(),
            });
        }
        Ok(bytes)
    }

    fn first(&self) -> Result<SealKey, SealError> {
        // A ring is made of one key at least.
        self.read().current.first().cloned().ok_or(SealError::Format)
    }

    fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_key(random: &RandomBytes) -> Result<KeyBytes, KeyError> {
    let mut bytes = [0; KEY_LENGTH];
    random(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::super::system_random;
    use super::*;

    fn ring(path: &Path) -> Result<KeyRing, KeyError> {
        KeyRing::open_file(path, Fresh::Make, system_random())
    }

    #[test]
    fn the_key_file_is_private_and_kept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        let sealed = ring(&path)
            .expect("new key")
            .seal(b"c", b"secret")
            .expect("sealed");
        let mode = fs::metadata(&path).expect("key file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = ring(&path).expect("kept key");
        assert_eq!(again.open(b"c", &sealed).expect("opened"), b"secret");
        let files = fs::read_dir(folder.path()).expect("folder").count();
        assert_eq!(files, 1, "no draft is left");
    }

    #[test]
    fn a_key_file_open_to_others_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        ring(&path).expect("new key");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("chmod");
        let refused = ring(&path).expect_err("readable by the group");
        assert!(refused.to_string().contains("mode 640"), "{refused}");
    }

    #[test]
    fn a_damaged_or_missing_key_file_is_never_replaced() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        for damaged in ["", "trainyard-seal-key-1 AAAA\n", "trainyard-seal-key-9 AAAA\n"] {
            fs::write(&path, damaged).expect("written");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("chmod");
            assert!(matches!(ring(&path), Err(KeyError::NotAKey { .. })));
            assert_eq!(fs::read_to_string(&path).expect("still there"), damaged);
        }
        fs::remove_file(&path).expect("removed");
        let store = folder.path().join("store");
        fs::write(&store, "").expect("written");
        let missing = KeyRing::of_file(&path, &store, system_random());
        assert!(matches!(missing, Err(KeyError::Missing { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn a_new_key_seals_beside_the_old_one_until_that_is_taken_out() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        let keys = ring(&path).expect("new key");
        let old = keys.seal(b"c", b"old").expect("sealed");
        let kept = folder.path().join("hard link");
        fs::hard_link(&path, &kept).expect("linked");
        let first = fs::read_to_string(&path).expect("text");
        keys.add_new(&path).expect("one more");
        let new = keys.seal(b"c", b"new").expect("sealed");
        assert!(keys.is_sealed_by_first(&new) && !keys.is_sealed_by_first(&old));
        let both = ring(&path).expect("both keys");
        assert_eq!(both.open(b"c", &old).expect("opened"), b"old");
        assert_eq!(both.open(b"c", &new).expect("opened"), b"new");
        keys.keep_first(&path).expect("taken out");
        assert_eq!(keys.open(b"c", &old).expect("what was read before"), b"old");
        let one = ring(&path).expect("new key alone");
        assert_eq!(one.ids(), keys.ids());
        let refused = one.open(b"c", &old).expect_err("its key is gone").to_string();
        assert!(
            refused.contains(&one.ids()[0]) && refused.contains("seal-key"),
            "{refused}"
        );
        assert_eq!(
            fs::read_to_string(&kept).expect("a copy"),
            first,
            "another name is left alone"
        );
    }

    #[test]
    fn a_key_file_that_somebody_changed_is_not_written() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        let keys = ring(&path).expect("new key");
        fs::remove_file(&path).expect("removed");
        assert!(matches!(keys.add_new(&path), Err(KeyError::Missing { .. })));
        let other = ring(&path).expect("another key").ids();
        assert!(matches!(keys.add_new(&path), Err(KeyError::Changed { .. })));
        assert!(matches!(keys.keep_first(&path), Err(KeyError::Changed { .. })));
        assert_eq!(ring(&path).expect("kept").ids(), other);
    }

    #[test]
    fn a_draft_of_a_process_that_died_is_removed() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("seal-key");
        let draft = folder.path().join("seal-key.part-1-0");
        fs::write(&draft, "a key").expect("written");
        ring(&path).expect("new key");
        assert!(!draft.exists());
    }

    #[test]
    fn keys_of_a_text_are_written_nowhere_and_errors_name_where_they_are_from() {
        let origin = Origin::Variable("SOME_KEY");
        let refused = KeyRing::of_text("nonsense!", origin, system_random()).expect_err("no key");
        let said = refused.to_string();
        assert!(
            said.starts_with("the variable SOME_KEY has a line 1") && !said.contains("nonsense"),
            "{said}"
        );
    }
}
