//! Copies of the store, and the way back.

use std::path::Path;

use anyhow::{Context, ensure};
use trainyard_store::{Store, db};

use super::ports::{SystemClock, monotonic};
use super::{STORE, seal_key};
use trainyard_server::Clock;

/// Copies the store of a data folder to a new file; its server may be running. Secrets stay sealed: the key
/// is not in the copy.
pub fn backup(data: &Path, to: &Path) -> anyhow::Result<()> {
    Ok(db::backup(&data.join(STORE), to)?)
}

/// Puts a copy back as the store of a data folder whose server is stopped. What was there is kept beside it.
/// Attempts and uids given out from now on are above all that the old store can have given out.
pub fn restore(from: &Path, data: &Path) -> anyhow::Result<()> {
    db::check(from).with_context(|| format!("{} cannot be restored", from.display()))?;
    let _lock = trainyard_store::lock::FolderLock::acquire(data)?;
    let now = SystemClock.now();
    let path = data.join(STORE);
    if path.exists() {
        let aside = data.join(format!("{STORE}.replaced-{}", now.as_second()));
        ensure!(
            !aside.exists(),
            "{} is there already; try again in a second",
            aside.display()
        );
        db::backup(&path, &aside).context("the present store cannot be kept aside")?;
        for suffix in ["", "-wal", "-shm"] {
            let file = data.join(format!("{STORE}{suffix}"));
            if file.exists() {
                std::fs::remove_file(&file)
                    .with_context(|| format!("{} cannot be removed", file.display()))?;
            }
        }
    }
    db::backup(from, &path)?;
    let store = Store::open(
        &path,
        &db::Settings::new(std::sync::Arc::new(monotonic())),
        seal_key(data)?,
    )?;
    let raised = store.write(move |tx| tx.raise_floors(now)).wait();
    store.close();
    raised.map_err(|error| error.flatten())?;
    Ok(())
}
