//! Copies of the store, and the way back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use trainyard_server::Clock;
use trainyard_store::{Store, StoreError, db};

use super::ports::{SystemClock, monotonic};
use super::{LINK_KEY, STORE, key};
use crate::config::Config;
use crate::config::layers::Surroundings;

/// Copies the store of a data folder to a new file; its server may be running. Secrets stay sealed: the key
/// is not in the copy.
pub fn backup(data: &Path, to: &Path) -> anyhow::Result<()> {
    Ok(db::backup(&data.join(STORE), to)?)
}

/// Puts a copy back as the store of a data folder whose server is stopped. What was there is kept beside it,
/// damaged or not. Attempts and uids given out from now on are above all that the old store can have given out.
///
/// Until the last step, which is renames alone, the store that was there is the store.
pub fn restore(from: &Path, config: &Config, surroundings: &Surroundings) -> anyhow::Result<()> {
    let data = config.data();
    db::check(from).with_context(|| format!("{} cannot be restored", from.display()))?;
    let _lock = trainyard_store::lock::FolderLock::acquire(data)?;
    let now = SystemClock.now();
    let (store, draft, ready) = (
        data.join(STORE),
        data.join(format!("{STORE}.restoring")),
        data.join(format!("{STORE}.restored")),
    );
    remove(&draft)?;
    remove(&ready)?;
    let restored = raised(from, &draft, config, surroundings, now).and_then(|()| {
        // One file, whole and on disk, whatever the draft still has in its log.
        db::backup(&draft, &ready)?;
        keep_aside(&store, now)?;
        put(&ready, &store).with_context(|| format!("{} cannot be put in place", store.display()))
    });
    restored.and(remove(&draft))
}

/// Gives `ready` the name of the store.
fn put(ready: &Path, store: &Path) -> std::io::Result<()> {
    std::fs::rename(ready, store)?;
    match store.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Copies a backup to `draft`, opens it with the keys that are here, and raises its floors.
fn raised(
    from: &Path,
    draft: &Path,
    config: &Config,
    surroundings: &Surroundings,
    now: Timestamp,
) -> anyhow::Result<()> {
    let unreadable = || format!("{} cannot be opened", from.display());
    // The backup counts as the store: a new key would open nothing of it.
    let ring = key::ring(config, surroundings, from).with_context(unreadable)?;
    db::backup(from, draft)?;
    let settings = db::Settings::new(Arc::new(monotonic()));
    let store = Store::open(draft, &settings, ring)?;
    let raised = every_key_is_here(&store).with_context(unreadable).and_then(|()| {
        let write = store.write(move |tx| -> Result<(), StoreError> {
            tx.ensure_secret(LINK_KEY, &[0; 32])?;
            tx.raise_floors(now)
        });
        let done = write.wait().map_err(|error| error.flatten());
        done.with_context(unreadable)
    });
    store.close();
    raised
}

/// The key may have been replaced since the backup was made.
fn every_key_is_here(store: &Store) -> anyhow::Result<()> {
    let here = store.key_ids();
    for (id, count) in store.sealed_by()? {
        ensure!(
            here.contains(&id),
            "{count} of its secrets are sealed by the key {id}, and {} gives {}: give the key {id} there too, as one more \
             line, and restore again; `trainyard key rotate` then seals them anew",
            store.key_origin(),
            here.join(" and "),
        );
    }
    Ok(())
}

/// Gives a store another name, with what belongs to it. Its own file keeps the old name too, until it is replaced.
fn keep_aside(store: &Path, now: Timestamp) -> anyhow::Result<()> {
    let aside = store.with_file_name(format!("{STORE}.replaced-{}", now.as_second()));
    ensure!(
        !aside.exists(),
        "{} is there already; try again in a second",
        aside.display()
    );
    for (old, new) in files(store).into_iter().zip(files(&aside)) {
        // The log goes before: beside another store it would be read into that one.
        let linked = if old == store {
            std::fs::hard_link(&old, &new).or_else(|_| std::fs::rename(&old, &new))
        } else {
            std::fs::rename(&old, &new)
        };
        match linked {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be kept aside", old.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn remove(store: &Path) -> anyhow::Result<()> {
    for file in files(store) {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be removed", file.display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// A store's own file, last, and those of its write-ahead log.
fn files(store: &Path) -> [PathBuf; 3] {
    ["-shm", "-wal", ""].map(|suffix| {
        let mut name = store.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}
