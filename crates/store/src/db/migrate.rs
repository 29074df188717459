//! Numbered, forward-only changes of the schema.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::backup;
use super::error::{Error, OpenError};
use crate::files;

/// One step of the schema. Once released it never changes.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// 1 for the first, then without gaps; the database's `user_version` after it.
    pub number: u32,
    /// What it is about, for messages.
    pub name: &'static str,
    /// Statements, run in one transaction. Foreign keys are checked at its end, not in it.
    pub sql: &'static str,
}

/// `application_id` of a Trainyard database: "TYRD".
pub(super) const APPLICATION_ID: u32 = 0x5459_5244;

/// Brings the database up to the newest of `migrations`. When an existing one at `file` has to be stepped, a
/// copy is made first: `<file>.before-<number of the first step>`.
pub(super) fn run(
    conn: &mut Connection,
    file: Option<&Path>,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    let newest = numbered(migrations)?;
    let found = version(conn)?;
    let fresh = found == 0 && is_empty(conn)?;
    if !fresh && application(conn)? != APPLICATION_ID {
        return Err(OpenError::NotOurs);
    }
    if found > newest {
        return Err(OpenError::TooNew { found, newest });
    }
    let pending = migrations.iter().filter(|migration| migration.number > found);
    if let (Some(first), Some(file), false) = (pending.clone().next(), file, fresh) {
        let copy = files::with_suffix(file, &format!(".before-{}", first.number));
        tracing::info!(copy = %copy.display(), from = found, to = newest, "upgrading the database");
        backup::copy_replacing(conn, file, &copy).map_err(OpenError::Copy)?;
    }
    conn.pragma_update(None, "foreign_keys", false)?;
    if fresh {
        conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    for migration in pending {
        step(conn, migration)?;
    }
    conn.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// The highest number, after a look at all.
fn numbered(migrations: &[Migration]) -> Result<u32, OpenError> {
    for (place, migration) in (1..).zip(migrations) {
        if migration.number != place {
            return Err(OpenError::Misnumbered {
                place,
                number: migration.number,
            });
        }
    }
    Ok(migrations.last().map_or(0, |migration| migration.number))
}

fn step(conn: &mut Connection, migration: &Migration) -> Result<(), OpenError> {
    let Migration { number, name, sql } = *migration;
    let failed = |source: rusqlite::Error| OpenError::Migration {
        number,
        name,
        source: source.into(),
    };
    let transaction = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    transaction.execute_batch(sql).map_err(failed)?;
    let orphans = orphans(&transaction).map_err(failed)?;
    if let Some(table) = orphans.first() {
        return Err(OpenError::ForeignKeys {
            number,
            name,
            table: table.clone(),
            rows: orphans.len(),
        });
    }
    transaction
        .pragma_update(None, "user_version", number)
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// The table of each row that refers to a row that is not there.
pub(super) fn orphans(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare("PRAGMA foreign_key_check")?
        .query_map([], |row| row.get(0))?
        .collect()
}

pub(super) fn version(conn: &Connection) -> Result<u32, Error> {
    Ok(conn.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

pub(super) fn application(conn: &Connection) -> Result<u32, Error> {
    Ok(conn.query_row("PRAGMA application_id", [], |row| row.get(0))?)
}

fn is_empty(conn: &Connection) -> Result<bool, Error> {
    Ok(
        conn.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| {
            row.get(0)
        })?,
    )
}
