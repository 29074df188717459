//! A few connections that only read, opened when they are needed.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::connect;
use super::error::Error;
use super::settings::Settings;

pub(super) struct Readers {
    path: PathBuf,
    settings: Settings,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    /// Connections that are idle or lent.
    open: usize,
    closed: bool,
}

impl Readers {
    pub(super) fn new(path: PathBuf, settings: Settings) -> Self {
        Self {
            path,
            settings,
            pool: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    fn limit(&self) -> usize {
        self.settings.max_readers.max(1)
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lends a connection, waiting for one if all are lent.
    pub(super) fn lend(&self) -> Result<Lent<'_>, Error> {
        let full = |pool: &mut Pool| !pool.closed && pool.idle.is_empty() && pool.open >= self.limit();
        let (mut pool, waited) = self
            .returned
            .wait_timeout_while(self.lock(), self.settings.busy_timeout, full)
            .unwrap_or_else(PoisonError::into_inner);
        if pool.closed {
            return Err(Error::Closed);
        }
        if let Some(conn) = pool.idle.pop() {
            return Ok(Lent {
                readers: self,
                conn: Some(conn),
            });
        }
        if waited.timed_out() {
            return Err(Error::ReadersBusy { limit: self.limit() });
        }
        pool.open += 1;
        drop(pool);
        // Counted before it is opened: given up again when that fails.
        let mut lent = Lent {
            readers: self,
            conn: None,
        };
        lent.conn = Some(connect::pooled_reader(&self.path, &self.settings)?);
        Ok(lent)
    }

    /// Closes the idle connections; the lent ones close when they come back.
    pub(super) fn close(&self) {
        let mut pool = self.lock();
        pool.closed = true;
        pool.open -= pool.idle.len();
        pool.idle.clear();
        drop(pool);
        self.returned.notify_all();
    }

    fn take_back(&self, conn: Option<Connection>) {
        let mut pool = self.lock();
        // A connection still in a transaction did not come back in order.
        match conn.filter(|conn| !pool.closed && conn.is_autocommit()) {
            Some(conn) => pool.idle.push(conn),
            None => pool.open -= 1,
        }
        drop(pool);
        self.returned.notify_one();
    }
}

/// A connection on loan.
pub(super) struct Lent<'a> {
    readers: &'a Readers,
    conn: Option<Connection>,
}

impl Lent<'_> {
    /// Runs `work` in a read transaction that ends with it.
    pub(super) fn read<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.conn {
            Some(conn) => in_read_transaction(conn, work),
            None => Err(E::from(Error::Closed)),
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers.take_back(self.conn.take());
    }
}

/// Runs `work` in a deferred transaction that is over when it returns or panics.
pub(super) fn in_read_transaction<T, E: From<Error>>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    // Dropped, it rolls back: there is nothing to commit.
    let transaction = conn
        .unchecked_transaction()
        .map_err(|error| E::from(error.into()))?;
    work(&transaction)
}
