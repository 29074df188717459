//! The key that seals secrets: where it comes from, and what keeps it in this process.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use trainyard_store::Store;
use trainyard_store::db::Settings;
use trainyard_store::lock::{FolderLock, LockError};
use trainyard_store::seal::{KeyRing, Origin, system_random};

use super::STORE;
use super::ports::monotonic;
use crate::config::Config;
use crate::config::layers::{SECRET_KEY_VARIABLE, Surroundings};

/// Where systemd puts what `LoadCredential=` names.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// The credential that is read there.
const CREDENTIAL: &str = "trainyard-secret-key";
/// Longest credential that is read.
const CREDENTIAL_BYTES: u64 = 4096;

/// The memory and the environment of this process are for nobody else of its user, and it leaves no core dump.
pub fn keep_private() {
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "other processes of this user can read this one's memory");
    }
}

/// The keys of a store, by the first of these that is there: the variable, the credential, the file. A file is made
/// where neither it nor `store` exists.
pub fn ring(config: &Config, surroundings: &Surroundings, store: &Path) -> anyhow::Result<KeyRing> {
    let random = system_random();
    if let Some(text) = &surroundings.secret_key {
        let origin = Origin::Variable(SECRET_KEY_VARIABLE);
        return Ok(KeyRing::of_text(text.reveal(), origin, random)?);
    }
    if let Some(path) = credential(surroundings) {
        let text =
            read(&path).with_context(|| format!("the credential {} cannot be read", path.display()))?;
        return Ok(KeyRing::of_text(&text, Origin::Credential(path), random)?);
    }
    Ok(KeyRing::of_file(&config.key_file(), store, random)?)
}

fn credential(surroundings: &Surroundings) -> Option<PathBuf> {
    let folder = surroundings.variables.get(OsStr::new(CREDENTIALS_VARIABLE))?;
    let path = Path::new(folder).join(CREDENTIAL);
    path.exists().then_some(path)
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(CREDENTIAL_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Opens the store of a data folder that is locked.
pub fn open_store(config: &Config, surroundings: &Surroundings) -> anyhow::Result<Store> {
    let path = config.data().join(STORE);
    let ring = ring(config, surroundings, &path)?;
    if ring.ids().len() > 1 {
        tracing::warn!(
            keys = ?ring.ids(),
            "there are several keys, and the first seals: run `trainyard key rotate` to have it seal all"
        );
    }
    Ok(Store::open(&path, &Settings::new(Arc::new(monotonic())), ring)?)
}

/// The keys of a data folder, in the hands of who holds it.
pub enum Keys {
    /// A server runs there: ask it.
    Served,
    /// Nobody: the store is open here.
    Here(Box<Held>),
}

/// A store without a server.
pub struct Held {
    store: Store,
    _lock: FolderLock,
}

/// Who can show and replace the keys of a data folder.
///
/// # Errors
/// When there is no store, or it cannot be opened.
pub fn keys(config: &Config, surroundings: &Surroundings) -> anyhow::Result<Keys> {
    let data = config.data();
    let store = data.join(STORE);
    anyhow::ensure!(
        store.is_file(),
        "there is no store {}: name the data folder with --data",
        store.display()
    );
    keep_private();
    match FolderLock::acquire(data) {
        Err(LockError::Held { .. }) => Ok(Keys::Served),
        Err(error) => Err(error.into()),
        Ok(lock) => Ok(Keys::Here(Box::new(Held {
            store: open_store(config, surroundings)?,
            _lock: lock,
        }))),
    }
}

impl Held {
    /// Where the keys come from, their ids, and how many secrets each has sealed.
    pub fn show(&self) -> anyhow::Result<(String, Vec<String>, BTreeMap<String, u64>)> {
        let origin = self.store.key_origin().to_string();
        Ok((origin, self.store.key_ids(), self.store.sealed_by()?))
    }

    /// One step of a rotation: the key that seals, how many secrets are moved, and whether that is all.
    pub fn rotate(&self) -> anyhow::Result<(String, u64, bool)> {
        let step = self.store.rotate()?;
        Ok((step.key, step.moved, step.done))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.store.close();
    }
}
