//! Rows that only tell what was, and the pages that they were on.

use std::path::PathBuf;
use std::sync::Arc;

use trainyard_server::{Clock, Kept};
use trainyard_store::{Store, StoreError, db};

use super::{How, Room, RoomError, Waste};
use crate::serve::{SystemClock, monotonic};

/// Most sweeps of one visit, a thousand rows each.
const SWEEPS: u32 = 1000;

/// Events that are older, or more, than is kept.
pub struct Events {
    store: Store,
    kept: Kept,
}

impl Events {
    pub fn new(store: Store, kept: Kept) -> Events {
        Events { store, kept }
    }
}

impl Room for Events {
    fn name(&self) -> &'static str {
        "events"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        let before = self.kept.events.map(|age| SystemClock.now() - age);
        let most = self.kept.most_events;
        let items = self.store.read(|s| s.events_to_sweep(before, most))?;
        if items == 0 {
            return Ok(Vec::new());
        }
        if how == How::Free {
            for _ in 0..SWEEPS {
                let sweep = self.store.write(move |tx| -> Result<usize, StoreError> {
                    tx.give_pages_back()?;
                    tx.sweep_events(before, most)
                });
                if sweep.wait().map_err(|error| error.flatten())? == 0 {
                    break;
                }
            }
        }
        Ok(vec![Waste {
            place: "audit trail in trainyard.db".to_owned(),
            items,
            bytes: None,
            why: "older than retention.event_days, or more than retention.events".to_owned(),
            left: None,
        }])
    }
}

/// Free pages of a store that nobody uses.
pub struct Pages {
    store: Store,
    file: PathBuf,
}

impl Pages {
    pub fn new(store: Store, file: PathBuf) -> Pages {
        Pages { store, file }
    }
}

impl Room for Pages {
    fn name(&self) -> &'static str {
        "free pages"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        let bytes = self.store.read(|s| s.free_page_bytes())?;
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let left = match how {
            How::Look => None,
            // Nobody uses the store after this: it is the last room.
            How::Free => {
                self.store.close();
                let settings = db::Settings::new(Arc::new(monotonic()));
                db::compact(&self.file, &settings)
                    .err()
                    .map(|error| error.to_string())
            }
        };
        Ok(vec![Waste {
            place: self.file.display().to_string(),
            items: 1,
            bytes: Some(bytes),
            why: "pages of the store that hold nothing".to_owned(),
            left,
        }])
    }
}
