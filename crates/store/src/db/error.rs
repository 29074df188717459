//! What can go wrong in the database, told apart by what the caller can do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// A failure of the database itself. Works and reads return it inside their own error type.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no room left; nothing that was acknowledged is lost, and writes work again once there is.
    #[error("the disk that holds the database is full")]
    Full(#[source] Arc<rusqlite::Error>),
    /// The disk failed to read or write.
    #[error("the disk that holds the database fails")]
    Io(#[source] Arc<rusqlite::Error>),
    /// The file is damaged, or is no database.
    #[error("the database file is damaged; restore it from a backup")]
    Corrupt(#[source] Arc<rusqlite::Error>),
    /// Another process kept the database locked for longer than the busy timeout.
    #[error("the database is held by another process for too long")]
    Busy(#[source] Arc<rusqlite::Error>),
    /// A storage failure in a work undid the whole batch this work was in.
    #[error("the batch of writes this one was in was undone by a storage failure in another one")]
    TransactionLost,
    /// More writes are waiting than may wait.
    #[error("{limit} writes are waiting already, try again later")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },
    /// All read connections stayed in use for the busy timeout.
    #[error("all {limit} read connections are in use, try again later")]
    ReadersBusy {
        /// How many there are.
        limit: usize,
    },
    /// The database was closed.
    #[error("the database is closed")]
    Closed,
    /// Anything else SQLite refuses: a constraint, a wrong statement, a missing row.
    #[error("the database refused a statement")]
    Other(#[source] Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let Some(sqlite) = error.sqlite_error().copied() else {
            return Self::Other(Arc::new(error));
        };
        let error = Arc::new(error);
        match sqlite.code {
            ErrorCode::DiskFull => Self::Full(error),
            // The file that indexes the write-ahead log could not grow.
            ErrorCode::SystemIoFailure if sqlite.extended_code == SQLITE_IOERR_SHMSIZE => Self::Full(error),
            ErrorCode::SystemIoFailure => Self::Io(error),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt(error),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy(error),
            _ => Self::Other(error),
        }
    }
}

/// Why a write was not done. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The work itself said no; the rest of its batch went on.
    ///
    /// A storage failure inside the work comes this way too, in the work's own error type.
    #[error(transparent)]
    Refused(E),
    /// There is no room to store it.
    #[error("nothing can be stored, the disk that holds the database is full")]
    Full(#[source] Arc<rusqlite::Error>),
    /// The database cannot store it now.
    #[error("nothing can be stored at the moment")]
    Unavailable(#[source] Error),
}

impl<E> WriteError<E> {
    pub(super) fn from_cause(cause: &Error) -> Self {
        match cause {
            Error::Full(source) => Self::Full(Arc::clone(source)),
            other => Self::Unavailable(other.clone()),
        }
    }

    /// The work's own error type alone, for callers whose error type holds [`Error`].
    pub fn flatten(self) -> E
    where
        E: From<Error>,
    {
        match self {
            Self::Refused(error) => error,
            Self::Full(source) => E::from(Error::Full(source)),
            Self::Unavailable(error) => E::from(error),
        }
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file could not be created, made private or copied.
    #[error("the database file {} cannot be {action}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried: `"created"`, `"made private"`.
        action: &'static str,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// SQLite could not open it or set it up.
    #[error("the database cannot be opened")]
    Sqlite(#[from] Error),
    /// The file system cannot hold a write-ahead log.
    #[error(
        "the database {} cannot keep a write-ahead log (its journal mode stays {mode:?}); \
         choose a data folder on a local disk",
        path.display()
    )]
    NoWal {
        /// The file.
        path: PathBuf,
        /// The journal mode it has.
        mode: String,
    },
    /// The database belongs to another program.
    #[error("the file holds tables but is no Trainyard database; choose another data folder")]
    NotOurs,
    /// The database was written by a newer version of Trainyard.
    #[error(
        "the database has version {found}, this Trainyard knows versions up to {newest}; \
         install a newer Trainyard or restore the backup made before the upgrade"
    )]
    TooNew {
        /// Version of the database.
        found: u32,
        /// Newest version this binary knows.
        newest: u32,
    },
    /// The list of migrations is not numbered 1, 2, 3 and so on: a mistake in the program.
    #[error("the migration at place {place} is numbered {number}")]
    Misnumbered {
        /// Place in the list, from 1.
        place: u32,
        /// Its number.
        number: u32,
    },
    /// The copy before a migration could not be made.
    #[error("the database could not be copied before its upgrade; check the free space and start again")]
    Copy(#[source] BackupError),
    /// A migration failed; the database is as it was before that migration.
    #[error(
        "the upgrade of the database to version {number} ({name}) failed; it stays at the version before"
    )]
    Migration {
        /// Number of the migration.
        number: u32,
        /// Its name.
        name: &'static str,
        /// What SQLite answered.
        #[source]
        source: Error,
    },
    /// A migration left rows that refer to nothing.
    #[error(
        "the upgrade of the database to version {number} ({name}) was undone, \
         it would leave {rows} rows of {table} without what they refer to"
    )]
    ForeignKeys {
        /// Number of the migration.
        number: u32,
        /// Its name.
        name: &'static str,
        /// First table concerned.
        table: String,
        /// Rows concerned in all tables.
        rows: usize,
    },
    /// The writer thread could not be started.
    #[error("the thread that writes the database cannot be started")]
    Thread(#[source] io::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}

/// Why a copy of a database could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is a file of that name already.
    #[error("{} exists already; choose another name or remove it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The database could not be read.
    #[error("the database {} cannot be read", path.display())]
    Source {
        /// The database.
        path: PathBuf,
        /// What SQLite answered.
        #[source]
        source: Error,
    },
    /// The copy could not be written.
    #[error("the copy {} cannot be written", path.display())]
    Target {
        /// The copy.
        path: PathBuf,
        /// What SQLite answered.
        #[source]
        source: Error,
    },
    /// The copy's file could not be created, synced or named.
    #[error("the copy {} cannot be put in its place", path.display())]
    File {
        /// The copy.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

/// Why a database file cannot be used, for instance to restore from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It could not be opened or read.
    #[error("the database {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What SQLite answered.
        #[source]
        source: Error,
    },
    /// It is a database of another program.
    #[error("{} is no Trainyard database", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Its pages or rows contradict each other.
    #[error("the database {} is damaged: {}", path.display(), findings.join("; "))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first findings, in SQLite's words.
        findings: Vec<String>,
    },
}
