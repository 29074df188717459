//! The database: one writer with group commit, read-only connections beside it, migrations, copies.
//!
//! A write is a closure. The writer runs what is queued, each work in a savepoint of one transaction, commits
//! once and only then answers: an answer means "on disk", and a refusal spoils no other. Reads never wait for
//! the writer. Works and reads make no engine or network call, and never call the [`Db`] they run in.

mod answer;
mod backup;
mod batch;
mod compact;
mod connect;
mod error;
mod inline;
mod migrate;
mod readers;
mod settings;
mod stats;
mod work;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

pub use answer::Answer;
pub use backup::{Checked, backup, check};
pub use compact::{compact, is_current};
pub use error::{BackupError, CheckError, Error, OpenError, WriteError};
pub use inline::InlineHandle;
pub use migrate::Migration;
pub use settings::{Monotonic, Settings};
pub use stats::{BATCH_BOUNDS, COMMIT_BOUNDS, Histogram, Stats};
pub use work::{Hook, Write};

use batch::{Limits, WriteConnection};
use readers::Readers;
use stats::Recorder;
use writer::{Queue, Writer};

/// An open database. Cheap to clone; the last one dropped closes it as [`Db::close`] does.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    mode: Mode,
    recorder: Arc<Recorder>,
}

enum Mode {
    Threaded { writer: Writer, readers: Readers },
    Inline { handle: InlineHandle, limits: Limits },
}

impl Db {
    /// Opens the database at `path`, makes it when it is not there, brings it up to the newest of
    /// `migrations` and starts its writer thread. The file and those beside it are readable by their owner
    /// only.
    ///
    /// # Errors
    /// [`OpenError`]; a database newer than `migrations` is refused and left as it is.
    pub fn open(path: &Path, settings: &Settings, migrations: &[Migration]) -> Result<Self, OpenError> {
        let mut conn = connect::writer(path, settings)?;
        migrate::run(&mut conn, Some(path), migrations)?;
        let recorder = Arc::new(Recorder::new());
        let writer = Writer::start(
            WriteConnection::new(conn)?,
            Limits::of(settings),
            Arc::new(Queue::new(settings.max_queue)),
            Arc::clone(&recorder),
        )?;
        let readers = Readers::new(path.to_owned(), settings.clone());
        Ok(Self(Arc::new(Inner {
            mode: Mode::Threaded { writer, readers },
            recorder,
        })))
    }

    /// The database of `handle` without threads: writes run at once in the caller, reads use the same
    /// connection. To simulate a crash, drop this and make another from the same handle.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn inline(handle: InlineHandle, migrations: &[Migration]) -> Result<Self, OpenError> {
        handle.migrate(migrations)?;
        // Batches of one on a clock that stands still: nothing depends on real time.
        let limits = Limits {
            works: 1,
            time: Duration::MAX,
            clock: Arc::new(|| Duration::ZERO),
        };
        Ok(Self(Arc::new(Inner {
            mode: Mode::Inline { handle, limits },
            recorder: Arc::new(Recorder::new()),
        })))
    }

    /// Queues `work`; the future ends when its batch is on disk or undone. It needs no runtime, and dropping
    /// it does not take the work back.
    ///
    /// A panic in `work` ends the process (in inline mode it goes up to the caller).
    pub fn write<T, E>(
        &self,
        work: impl FnOnce(&mut Write<'_>) -> Result<T, E> + Send + 'static,
    ) -> Answer<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let (work, answer) = work::job(work);
        match &self.0.mode {
            Mode::Threaded { writer, .. } => writer.queue().push(work),
            Mode::Inline { handle, limits } => handle.write(work, limits, &self.0.recorder),
        }
        answer
    }

    /// [`Db::write`], waited for by blocking this thread.
    ///
    /// # Errors
    /// [`WriteError`]; nothing of the work is stored then.
    pub fn write_blocking<T, E>(
        &self,
        work: impl FnOnce(&mut Write<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.write(work).wait()
    }

    /// Runs `work` on a connection that only reads, on this thread, in one transaction that is over when it
    /// returns: everything `work` sees is of one moment, after every write answered before the call.
    ///
    /// # Errors
    /// Those of `work`, and [`Error`] when no connection could be had.
    pub fn read<T, E: From<Error>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        match &self.0.mode {
            Mode::Threaded { readers, .. } => readers.lend()?.read(work),
            Mode::Inline { handle, .. } => handle.read(work),
        }
    }

    /// What the writer did so far.
    pub fn stats(&self) -> Stats {
        let queued = match &self.0.mode {
            Mode::Threaded { writer, .. } => writer.queue().len(),
            Mode::Inline { .. } => 0,
        };
        self.0.recorder.snapshot(queued)
    }

    /// Finishes the queued works, brings the write-ahead log into the database, closes it and ends the
    /// writer's thread. Later writes and reads get [`Error::Closed`]. Nothing to do in inline mode.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    fn close(&self) {
        if let Mode::Threaded { writer, readers } = &self.mode {
            readers.close();
            writer.stop();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mode = match self.0.mode {
            Mode::Threaded { .. } => "threaded",
            Mode::Inline { .. } => "inline",
        };
        out.debug_struct("Db")
            .field("mode", &mode)
            .finish_non_exhaustive()
    }
}
