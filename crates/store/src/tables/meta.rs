//! Facts about the store itself.

use jiff::Timestamp;
use rusqlite::params;
use trainyard_domain::ids::{Attempt, Uid};

use super::{Snapshot, StoreError, Tx};

const LAST_UID: &str = "last_uid";
const ATTEMPT_FLOOR: &str = "attempt_floor";

impl Snapshot<'_> {
    fn number(&self, key: &str) -> Result<i64, StoreError> {
        let found = self.row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            Ok(row.get(0)?)
        })?;
        Ok(found.unwrap_or(0))
    }

    /// A text kept under a key.
    pub fn note(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            Ok(row.get(0)?)
        })
    }

    /// Every new attempt is above this: a restore raises it, so that no number is given out twice.
    pub fn attempt_floor(&self) -> Result<Attempt, StoreError> {
        Ok(Attempt(self.number(ATTEMPT_FLOOR)?))
    }
}

impl Tx<'_> {
    fn set_number(&self, key: &str, value: i64) -> Result<(), StoreError> {
        self.run("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![key, value])?;
        Ok(())
    }

    /// Keeps a text under a key.
    pub fn set_note(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.run("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", params![key, value])?;
        Ok(())
    }

    /// A new uid.
    pub fn next_uid(&self, now: Timestamp) -> Result<Uid, StoreError> {
        let uid = Uid::next(Uid(self.number(LAST_UID)?), now);
        self.set_number(LAST_UID, uid.0)?;
        Ok(uid)
    }

    /// The secret kept under a key, sealed; `new` becomes it where there is none yet.
    pub fn ensure_secret(&self, key: &str, new: &[u8]) -> Result<Vec<u8>, StoreError> {
        let context = format!("meta {key}");
        let found: Option<Vec<u8>> = self.row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
            Ok(row.get(0)?)
        })?;
        if let Some(sealed) = found {
            return Ok(self.key.open(context.as_bytes(), &sealed)?);
        }
        let sealed = self.key.seal(context.as_bytes(), new)?;
        self.run("INSERT INTO meta VALUES (?1, ?2)", params![key, sealed])?;
        Ok(new.to_vec())
    }

    /// Raises the floor of attempts and uids after a restore at `now`: above all that the server could have
    /// given out since the backup was taken.
    pub fn raise_floors(&self, now: Timestamp) -> Result<(), StoreError> {
        let floor = self.attempt_floor()?.0.max(now.as_second());
        self.set_number(ATTEMPT_FLOOR, floor)?;
        self.next_uid(now)?;
        Ok(())
    }
}
