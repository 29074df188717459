//! What may go without anybody missing it: a list of rooms, each with a rule of its own. `trainyard gc` shows and does
//! it, and the server does it by itself now and then.
//!
//! Whoever visits the rooms holds the data folder's lock. A rule and its deed are one call, so that nothing changes
//! between them but what runs beside us; each room says why that is no harm.

mod drafts;
mod file_servers;
mod images;
mod nodes;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trainyard_engine_local::container_store;
use trainyard_node::{container, disk_bytes};
use trainyard_server::Kept;
use trainyard_storage::FileServers;
use trainyard_store::{Store, StoreError};

/// Most things of a room that one visit deals with; what is left waits for the next one.
const AT_ONCE: usize = 1000;

/// Something that may hold what nobody needs.
pub trait Room: Send + Sync {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// What may go, and, where it is to be freed, what became of it.
    ///
    /// # Errors
    /// When it cannot be looked at.
    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError>;
}

/// What a visit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It changes nothing.
    Look,
    /// What may go goes.
    Free,
}

/// Something that may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waste {
    /// Where it is.
    pub place: String,
    /// How many things it is.
    pub items: u64,
    /// How much of the disk they take, where that is known.
    pub bytes: Option<u64>,
    /// Why it may go.
    pub why: String,
    /// Why it is still there although it was to go.
    pub left: Option<String>,
}

/// Why a room cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// The system refused.
    #[error("{place} cannot be listed; see who owns it")]
    List {
        /// The folder.
        place: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store failed.
    #[error("the store cannot be asked what is still needed")]
    Store(#[from] StoreError),
}

/// What came of a visit to all rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether it was to go.
    pub freed: bool,
    /// Each room.
    pub rooms: Vec<RoomReport>,
}

/// What came of a visit to one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomReport {
    /// Its name.
    pub room: String,
    /// What was found.
    pub waste: Vec<Waste>,
    /// Why it could not be looked at.
    pub error: Option<String>,
}

impl Report {
    /// How many things went, or could go, and their bytes.
    pub fn sum(&self) -> (u64, u64) {
        let waste = self.rooms.iter().flat_map(|room| &room.waste);
        let gone = waste.filter(|waste| waste.left.is_none());
        gone.fold((0, 0), |(items, bytes), waste| {
            (items + waste.items, bytes + waste.bytes.unwrap_or(0))
        })
    }

    /// Whether anything went wrong.
    pub fn is_whole(&self) -> bool {
        let left = |room: &RoomReport| room.error.is_some() || room.waste.iter().any(|w| w.left.is_some());
        !self.rooms.iter().any(left)
    }
}

/// What the rooms are made of.
pub struct House<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// The engine's folder.
    pub engine: PathBuf,
    /// The store, open.
    pub store: Store,
    /// Its file, where nobody but us uses it.
    pub closed: Option<PathBuf>,
    /// Folders of file servers.
    pub file_servers: FileServers,
    /// How long rows are kept.
    pub kept: Kept,
    /// How containers are run.
    pub containers: container::Settings,
    /// How long images are kept that no job uses; `None` is for ever.
    pub images_kept: Option<Duration>,
    /// What programs find in their environment.
    pub variables: BTreeMap<String, String>,
}

/// All rooms.
pub fn all(house: House<'_>) -> Vec<Box<dyn Room>> {
    let mut rooms: Vec<Box<dyn Room>> = vec![
        Box::new(nodes::Released::new(&house.engine)),
        Box::new(nodes::IdleJobs::new(&house.engine)),
        Box::new(nodes::Shared::new(&house.engine, house.store.clone())),
        Box::new(file_servers::Gone(house.file_servers)),
        Box::new(drafts::Drafts::new(house.data, &house.engine)),
        Box::new(images::Images {
            settings: container::Settings {
                store: container_store(&house.engine),
                ..house.containers
            },
            variables: house.variables,
            kept: house.images_kept,
        }),
        Box::new(store::Events::new(house.store.clone(), house.kept)),
    ];
    // A server releases its nodes by itself, and needs its store open.
    if let Some(file) = house.closed {
        rooms.push(Box::new(nodes::Lost::new(&house.engine, house.store.clone())));
        rooms.push(Box::new(store::Pages::new(house.store, file)));
    }
    rooms
}

/// Visits all rooms, one after the other.
pub fn visit(rooms: &[Box<dyn Room>], how: How) -> Report {
    let visit = |room: &dyn Room| {
        let (waste, error) = match room.visit(how) {
            Ok(waste) => (waste, None),
            Err(error) => (Vec::new(), Some(with_cause(&error))),
        };
        RoomReport {
            room: room.name().to_owned(),
            waste,
            error,
        }
    };
    Report {
        freed: how == How::Free,
        rooms: rooms.iter().map(|room| visit(room.as_ref())).collect(),
    }
}

fn with_cause(error: &RoomError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Paths as waste, each freed by `free` where it is to be; `false` from there is that it is still in use.
fn paths(
    paths: impl IntoIterator<Item = PathBuf>,
    why: &str,
    how: How,
    free: impl Fn(&Path) -> io::Result<bool>,
) -> Vec<Waste> {
    let waste = |path: PathBuf| {
        let bytes = disk_bytes(&path);
        let left = match how {
            How::Look => None,
            How::Free => match free(&path) {
                Ok(true) => None,
                Ok(false) => Some("something of it is still in use".to_owned()),
                Err(error) => Some(error.to_string()),
            },
        };
        Waste {
            place: path.display().to_string(),
            items: 1,
            bytes: Some(bytes),
            why: why.to_owned(),
            left,
        }
    };
    paths.into_iter().take(AT_ONCE).map(waste).collect()
}

fn listed<T>(place: &Path, found: io::Result<T>) -> Result<T, RoomError> {
    found.map_err(|source| RoomError::List {
        place: place.to_owned(),
        source,
    })
}
