//! The database without threads, for tests and the simulator: one connection, kept when the server "crashes".

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::batch::{self, Limits, WriteConnection};
use super::connect;
use super::error::{Error, OpenError};
use super::migrate::{self, Migration};
use super::readers::in_read_transaction;
use super::stats::Recorder;
use super::work::Work;

/// What lives on when an inline [`super::Db`] is dropped: the "disk" of the simulator.
#[derive(Clone)]
pub struct InlineHandle(Arc<Mutex<WriteConnection>>);

impl InlineHandle {
    /// An empty database in memory.
    ///
    /// # Errors
    /// [`OpenError::Sqlite`].
    pub fn memory() -> Result<Self, OpenError> {
        Self::over(Connection::open_in_memory()?)
    }

    /// The database in the file at `path`, made when it is not there; its writes are not synced.
    ///
    /// # Errors
    /// [`OpenError::Sqlite`].
    pub fn file(path: &Path) -> Result<Self, OpenError> {
        Self::over(Connection::open(path)?)
    }

    fn over(conn: Connection) -> Result<Self, OpenError> {
        connect::common(&conn)?;
        conn.pragma_update(None, "synchronous", "OFF")?;
        Ok(Self(Arc::new(Mutex::new(WriteConnection::new(conn)?))))
    }

    /// The bare connection, outside of works: for checkers that look, and tests that fill the disk. Nothing
    /// else of this database may be called meanwhile.
    pub fn with_connection<T>(&self, look: impl FnOnce(&Connection) -> T) -> T {
        look(&self.lock().conn)
    }

    fn lock(&self) -> MutexGuard<'_, WriteConnection> {
        // A panic left no transaction behind: its guard has rolled back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn migrate(&self, migrations: &[Migration]) -> Result<(), OpenError> {
        migrate::run(&mut self.lock().conn, None, migrations)
    }

    /// Runs `work` as a batch of its own and answers it.
    pub(super) fn write(&self, work: Box<dyn Work>, limits: &Limits, recorder: &Recorder) {
        // The lock is over before hooks and callers go on: they may write again.
        let settled = batch::run(&self.lock(), work, || None, limits, recorder);
        settled.announce();
    }

    pub(super) fn read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let writer = self.lock();
        let _only = QueryOnly::on(&writer.conn).map_err(|error| E::from(error.into()))?;
        in_read_transaction(&writer.conn, work)
    }
}

impl std::fmt::Debug for InlineHandle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("InlineHandle")
    }
}

/// Makes the connection refuse writes, as those of the threaded mode's readers do, until dropped.
struct QueryOnly<'a>(&'a Connection);

impl<'a> QueryOnly<'a> {
    fn on(conn: &'a Connection) -> rusqlite::Result<Self> {
        conn.pragma_update(None, "query_only", true)?;
        Ok(Self(conn))
    }
}

impl Drop for QueryOnly<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.pragma_update(None, "query_only", false) {
            tracing::error!(%error, "the inline database stays read-only");
        }
    }
}
