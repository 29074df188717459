//! A file without free pages.

use std::path::Path;
use std::time::Duration;

use super::error::{Error, OpenError};
use super::migrate::{self, Migration};
use super::{connect, settings::Settings};

/// How long another process may keep us waiting.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether the database at `path` has gone through all of `migrations` and no others.
///
/// # Errors
/// When it cannot be read.
pub fn is_current(path: &Path, migrations: &[Migration]) -> Result<bool, Error> {
    let conn = connect::reader(path, BUSY_TIMEOUT)?;
    let newest = migrations.last().map_or(0, |migration| migration.number);
    Ok(migrate::application(&conn)? == migrate::APPLICATION_ID && migrate::version(&conn)? == newest)
}

/// Writes the database at `path`, which nobody else may use meanwhile, anew without free pages. It takes as much room
/// beside it, and can give free pages back bit by bit afterwards.
///
/// # Errors
/// When it cannot be opened or written; it is as it was then.
pub fn compact(path: &Path, settings: &Settings) -> Result<(), OpenError> {
    let conn = connect::writer(path, settings)?;
    conn.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(())
}
