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

/// Most events that one sweep forgets.
const SWEPT: u32 = 1000;

impl Snapshot<'_> {
    /// How many events a sweep would forget in the end, about: numbers have gaps where a change was undone.
    pub fn events_to_sweep(&self, before: Option<Timestamp>, most: u64) -> Result<u64, StoreError> {
        let newest_gone = self.newest_beyond(most)?;
        let sql = "SELECT count(*) FROM events WHERE number <= ?1 OR time < ?2";
        let count: Option<i64> =
            self.row(sql, params![newest_gone, millis(before)], |row| Ok(row.get(0)?))?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }

    /// The number up to which events are more than `most`; 0 where they are not.
    fn newest_beyond(&self, most: u64) -> Result<i64, StoreError> {
        if most == 0 {
            return Ok(0);
        }
        let sql = "SELECT coalesce(max(number), 0) FROM events";
        let newest: i64 = self.row(sql, [], |row| Ok(row.get(0)?))?.unwrap_or(0);
        Ok(newest
            .saturating_sub(i64::try_from(most).unwrap_or(i64::MAX))
            .max(0))
    }
}

/// A time that nothing is before, where there is none.
fn millis(before: Option<Timestamp>) -> i64 {
    before.map_or(i64::MIN, Timestamp::as_millisecond)
}

impl Tx<'_> {
    /// Forgets the oldest events: those before a time, and those that are more than `most` (0 is no limit). Some at a
    /// time; says how many.
    pub fn sweep_events(&self, before: Option<Timestamp>, most: u64) -> Result<usize, StoreError> {
        if before.is_none() && most == 0 {
            return Ok(0);
        }
        let newest_gone = self.newest_beyond(most)?;
        // Numbers grow with time, so the oldest are the first: no look goes over more than those.
        self.run(
            "DELETE FROM events WHERE number IN (SELECT number FROM events ORDER BY number LIMIT ?3) \
             AND (number <= ?1 OR time < ?2)",
            params![newest_gone, millis(before), SWEPT],
        )
    }

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

#[cfg(test)]
mod tests {
    use crate::Store;
    use crate::db::InlineHandle;
    use crate::seal::{SealKey, system_random};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn store(events: i64) -> Store {
        let key = SealKey::from_bytes(&[7; 32], system_random());
        let store = Store::inline(InlineHandle::memory().unwrap(), key).unwrap();
        let write = store.write(move |tx| -> Result<(), StoreError> {
            for second in 0..events {
                tx.insert_event(&Event {
                    time: at(second),
                    caller: "admin".to_owned(),
                    action: "a".to_owned(),
                    target: "/t".to_owned(),
                    request: None,
                    detail: None,
                })?;
            }
            Ok(())
        });
        write.wait().unwrap();
        store
    }

    fn sweep(store: &Store, before: Option<i64>, most: u64) -> usize {
        let write = store.write(move |tx| tx.sweep_events(before.map(at), most));
        write
            .wait()
            .map_err(|error: crate::db::WriteError<StoreError>| error.flatten())
            .unwrap()
    }

    fn seconds(store: &Store) -> Vec<i64> {
        let read = store.read(|s| s.events(0, 10_000));
        read.unwrap()
            .iter()
            .map(|(_, event)| event.time.as_second())
            .collect()
    }

    #[test]
    fn the_oldest_events_go_by_age_and_by_number() {
        let store = store(10);
        assert_eq!(sweep(&store, None, 0), 0);
        assert_eq!(sweep(&store, None, 10), 0);
        let to_go =
            |before: Option<i64>, most| store.read(|s| s.events_to_sweep(before.map(at), most)).unwrap();
        assert_eq!((to_go(Some(3), 0), to_go(None, 4), to_go(None, 0)), (3, 6, 0));
        assert_eq!(sweep(&store, Some(3), 0), 3);
        assert_eq!(seconds(&store), [3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(sweep(&store, Some(4), 4), 3);
        assert_eq!(seconds(&store), [6, 7, 8, 9]);
    }

    #[test]
    fn a_sweep_is_short() {
        let store = store(1500);
        assert_eq!(sweep(&store, Some(2000), 0), 1000);
        assert_eq!(sweep(&store, Some(2000), 0), 500);
        assert!(seconds(&store).is_empty());
    }
}
