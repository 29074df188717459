//! The audit trail: every change with time, caller and target.

use jiff::Timestamp;
use rusqlite::params;

use super::rows::time;
use super::{Snapshot, StoreError, Tx};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// Who: a token's name, or the service itself.
    pub caller: String,
    /// What was done: an action of the operation table, or a job's new state.
    pub action: String,
    /// Id of the resource.
    pub target: String,
    /// Id of the request that did it.
    pub request: Option<String>,
    /// More in a few words; never a secret.
    pub detail: Option<String>,
}

impl Snapshot<'_> {
    /// Events after a number, oldest first, with their numbers.
    pub fn events(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, StoreError> {
        let sql = "SELECT number, time, caller, action, target, request, detail FROM events \
                   WHERE number > ?1 ORDER BY number LIMIT ?2";
        self.rows(sql, params![after, limit], |row| {
            let event = Event {
                time: time(row.get(1)?)?,
                caller: row.get(2)?,
                action: row.get(3)?,
                target: row.get(4)?,
                request: row.get(5)?,
                detail: row.get(6)?,
            };
            Ok((row.get(0)?, event))
        })
    }
}

impl Tx<'_> {
    /// Writes a change down.
    pub fn insert_event(&self, event: &Event) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO events (time, caller, action, target, request, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                event.time.as_millisecond(),
                event.caller,
                event.action,
                event.target,
                event.request,
                event.detail
            ],
        )?;
        Ok(())
    }
}
