//! Copies of a database, and the check of one before it is trusted.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::connect;
use super::error::{BackupError, CheckError, Error};
use super::migrate::{self, APPLICATION_ID};
use crate::files::Draft;

/// How long a copy waits for another process that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Findings told of a damaged database.
const MAX_FINDINGS: usize = 10;

/// Copies the database at `from` to the new file `to`, mode 0600, while other processes go on using it.
///
/// The copy is one moment of the database: everything acknowledged before the call is in it. It appears
/// under its name only when it is whole and on disk.
///
/// # Errors
/// [`BackupError::Exists`] when `to` exists; otherwise what could not be read or written.
pub fn backup(from: &Path, to: &Path) -> Result<(), BackupError> {
    // A look ahead spares the work; publishing looks again.
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let source = connect::reader(from, BUSY_TIMEOUT).map_err(|error| BackupError::Source {
        path: from.to_owned(),
        source: error.into(),
    })?;
    copy(&source, from, to, false)
}

/// The same over an open connection; an older copy of that name is replaced.
pub(super) fn copy_replacing(source: &Connection, from: &Path, to: &Path) -> Result<(), BackupError> {
    copy(source, from, to, true)
}

fn copy(source: &Connection, from: &Path, to: &Path, replace: bool) -> Result<(), BackupError> {
    let target_failed = |error: rusqlite::Error| BackupError::Target {
        path: to.to_owned(),
        source: error.into(),
    };
    let file_failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { path: to.to_owned() },
        _ => BackupError::File {
            path: to.to_owned(),
            source: error,
        },
    };
    // Read now, so that a damaged or missing source is told as such.
    migrate::version(source).map_err(|source| BackupError::Source {
        path: from.to_owned(),
        source,
    })?;
    let (draft, _file) = Draft::of(to).map_err(file_failed)?;
    let mut target = Connection::open(draft.path()).map_err(target_failed)?;
    // Nobody reads the draft before it is published, and then it is synced as a whole.
    target
        .pragma_update(None, "synchronous", "OFF")
        .map_err(target_failed)?;
    copy_pages(source, &mut target).map_err(|source| BackupError::Target {
        path: to.to_owned(),
        source,
    })?;
    // One file that needs no write-ahead log beside it.
    target
        .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .map_err(target_failed)?;
    target.close().map_err(|(_, error)| target_failed(error))?;
    draft.publish(to, replace).map_err(file_failed)
}

/// All pages in one step, which is one read transaction: writers go on beside it, and the copy never has to
/// start again because of them.
fn copy_pages(source: &Connection, target: &mut Connection) -> Result<(), Error> {
    let backup = Backup::new(source, target)?;
    match backup.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(Error::from(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            None,
        ))),
    }
}

/// What [`check`] found in a good database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Number of the last migration it went through.
    pub version: u32,
}

/// Reads the whole database at `path` and makes sure that it is a sound one of Trainyard.
///
/// # Errors
/// [`CheckError`]: unreadable, of another program, or damaged.
pub fn check(path: &Path) -> Result<Checked, CheckError> {
    let unreadable = |source| CheckError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let conn = connect::reader(path, BUSY_TIMEOUT).map_err(|error| unreadable(error.into()))?;
    let version = migrate::version(&conn).map_err(unreadable)?;
    if migrate::application(&conn).map_err(unreadable)? != APPLICATION_ID {
        return Err(CheckError::NotOurs {
            path: path.to_owned(),
        });
    }
    let findings = findings(&conn).map_err(|error| unreadable(error.into()))?;
    if !findings.is_empty() {
        return Err(CheckError::Damaged {
            path: path.to_owned(),
            findings,
        });
    }
    Ok(Checked { version })
}

fn findings(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut findings: Vec<String> = conn
        .prepare(&format!("PRAGMA integrity_check({MAX_FINDINGS})"))?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    findings.retain(|finding| finding != "ok");
    let orphans = migrate::orphans(conn)?;
    if let Some(table) = orphans.first() {
        findings.push(format!(
            "{} rows of {table} and others refer to rows that are missing",
            orphans.len()
        ));
    }
    Ok(findings)
}
