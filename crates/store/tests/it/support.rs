//! A small schema and what the tests do with it.

#![expect(clippy::disallowed_methods, reason = "a test measures its own patience")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;
use trainyard_store::db::{Answer, Db, Error, Migration, Settings, Write};

/// Longest that anything here may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "numbers",
    sql: "CREATE TABLE numbers (number INTEGER PRIMARY KEY, filler BLOB) STRICT;
          CREATE TABLE doubles (number INTEGER PRIMARY KEY REFERENCES numbers (number)) STRICT;",
}];

/// A work's own error: a refusal, or the database's.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("refused")]
    ByTheWork,
    #[error(transparent)]
    Db(#[from] Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Db(error.into())
    }
}

pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    pub fn database(&self) -> PathBuf {
        self.0.path().join("store.db")
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

pub fn settings() -> Settings {
    let start = Instant::now();
    Settings::new(Arc::new(move || start.elapsed()))
}

pub fn open(path: &Path) -> Db {
    Db::open(path, &settings(), MIGRATIONS).expect("database opens")
}

pub fn insert(write: &Write<'_>, number: i64) -> Result<i64, Refusal> {
    insert_filled(write.conn(), number, 0)?;
    Ok(number)
}

/// A row with `filler` bytes beside its number.
pub fn insert_filled(conn: &Connection, number: i64, filler: usize) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT INTO numbers VALUES (?1, ?2)")?
        .execute((number, vec![7u8; filler]))
        .map(drop)
}

pub fn numbers(db: &Db) -> Vec<i64> {
    db.read(stored).expect("readable")
}

pub fn stored(conn: &Connection) -> Result<Vec<i64>, Error> {
    let mut statement = conn.prepare_cached("SELECT number FROM numbers ORDER BY number")?;
    Ok(statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

/// Holds the writer inside a work until told to go on.
pub struct Gate {
    entered: Receiver<()>,
    go: Sender<()>,
    answer: Answer<(), Refusal>,
}

impl Gate {
    /// A gate the writer has reached; `number` is written before it.
    pub fn shut(db: &Db, number: i64) -> Self {
        let gate = Self::queued(db, number);
        gate.reached();
        gate
    }

    pub fn queued(db: &Db, number: i64) -> Self {
        let (enter, entered) = channel();
        let (go, gone) = channel::<()>();
        let answer = db.write(move |write| {
            insert(write, number)?;
            enter.send(()).expect("the test waits");
            gone.recv_timeout(PATIENCE).expect("the test opens the gate");
            Ok(())
        });
        Self { entered, go, answer }
    }

    pub fn reached(&self) {
        self.entered.recv_timeout(PATIENCE).expect("the writer gets here");
    }

    pub fn answered(&self) -> bool {
        self.answer.is_ready()
    }

    pub fn open(self) {
        self.go.send(()).expect("the writer waits");
        self.answer.wait().expect("written");
    }
}
