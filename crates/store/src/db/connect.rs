//! Connections and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::OpenError;
use super::settings::Settings;
use crate::files;

/// Prepared statements kept per connection.
const STATEMENTS: usize = 256;

/// Flags for a connection used by one thread at a time, on a plain path.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// The writing connection to the file at `path`, which is made when it is not there, private in any case.
pub(super) fn writer(path: &Path, settings: &Settings) -> Result<Connection, OpenError> {
    let failed = |action| {
        move |source| OpenError::File {
            path: path.to_owned(),
            action,
            source,
        }
    };
    files::ensure_private(path).map_err(failed("created"))?;
    // SQLite gives new side files the mode of the database; old ones may have another.
    for suffix in ["-wal", "-shm"] {
        files::tighten(&files::with_suffix(path, suffix)).map_err(failed("made private"))?;
    }
    let conn = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    conn.busy_timeout(settings.busy_timeout)?;
    // Pages that are free can be given back bit by bit. Of use before the first table only: an older file keeps its
    // way until it is compacted.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoWal {
            path: path.to_owned(),
            mode,
        });
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "cache_size", cache(settings.writer_cache_kib))?;
    conn.pragma_update(None, "mmap_size", as_i64(settings.mmap_bytes))?;
    conn.pragma_update(None, "wal_autocheckpoint", settings.checkpoint_pages)?;
    conn.pragma_update(None, "journal_size_limit", as_i64(settings.wal_kept_bytes))?;
    common(&conn)?;
    // The first start must survive a power cut as a whole: the name of the file is on disk too.
    files::sync_folder_of(path).map_err(failed("created"))?;
    Ok(conn)
}

/// A connection to the file at `path` that only reads.
pub(super) fn reader(path: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    conn.busy_timeout(busy_timeout)?;
    common(&conn)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// A reader of the pool, with its share of memory.
pub(super) fn pooled_reader(path: &Path, settings: &Settings) -> rusqlite::Result<Connection> {
    let conn = reader(path, settings.busy_timeout)?;
    conn.pragma_update(None, "cache_size", cache(settings.reader_cache_kib))?;
    conn.pragma_update(None, "mmap_size", as_i64(settings.mmap_bytes))?;
    Ok(conn)
}

/// What every connection has, those of the inline mode too.
pub(super) fn common(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it the planner looks at bound values, so that most statements are prepared anew at each use.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "trusted_schema", false)
}

/// SQLite counts KiB below zero, pages above.
fn cache(kib: u32) -> i64 {
    -i64::from(kib)
}

fn as_i64(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planner_does_not_look_at_bound_values() {
        let conn = Connection::open_in_memory().unwrap();
        common(&conn).unwrap();
        assert!(conn.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG).unwrap());
    }
}
