//! The store as the server sees it: domain values in transactions.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::db::{Answer, Db, Error, InlineHandle, OpenError, Settings, Stats};
use crate::rotate::Rotation;
use crate::seal::KeyRing;
use crate::tables::{MIGRATIONS, Snapshot, Tx};

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Db,
    pub(crate) key: Arc<KeyRing>,
    pub(crate) rotation: Arc<Mutex<Rotation>>,
}

impl Store {
    /// Opens the store in a file and starts its writer.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path, settings: &Settings, key: impl Into<KeyRing>) -> Result<Store, OpenError> {
        Ok(Store {
            db: Db::open(path, settings, MIGRATIONS)?,
            key: Arc::new(key.into()),
            rotation: Arc::default(),
        })
    }

    /// A store without threads on a connection kept elsewhere, for tests and the simulator.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn inline(handle: InlineHandle, key: impl Into<KeyRing>) -> Result<Store, OpenError> {
        Ok(Store {
            db: Db::inline(handle, MIGRATIONS)?,
            key: Arc::new(key.into()),
            rotation: Arc::default(),
        })
    }

    /// Runs a change. When the answer is there the change is on disk, or undone.
    pub fn write<T, E>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static) -> Answer<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let key = Arc::clone(&self.key);
        self.db.write(move |write| work(&Tx::new(write.conn(), &key)))
    }

    /// Reads at one moment; never waits for the writer.
    ///
    /// # Errors
    /// Those of `work`, and the database's own.
    pub fn read<T, E: From<Error>>(&self, work: impl FnOnce(&Snapshot<'_>) -> Result<T, E>) -> Result<T, E> {
        self.db.read(|conn| work(&Snapshot::new(conn, &self.key)))
    }

    /// What the writer did so far.
    pub fn stats(&self) -> Stats {
        self.db.stats()
    }

    /// Finishes the queued changes and closes the file.
    pub fn close(&self) {
        self.db.close();
    }
}
