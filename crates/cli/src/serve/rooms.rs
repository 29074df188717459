//! The rooms of a data folder: visited beside the server now and then, or without one.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use tracing::{info, warn};
use trainyard_store::db::is_current;
use trainyard_store::lock::FolderLock;
use trainyard_store::{MIGRATIONS, Store};

use super::{STORE, key, settings};
use crate::config::Config;
use crate::config::layers::Surroundings;
use crate::rooms::{self, House, How, Report, Room};

/// When the first visit is, at the latest: a server that is started often has its turn too.
const FIRST: Duration = Duration::from_secs(120);

/// The rooms of a running server. One visit at a time.
pub struct Rooms {
    rooms: Mutex<Vec<Box<dyn Room>>>,
    every: Duration,
}

impl Rooms {
    /// Those of the server with this configuration.
    pub fn new(config: &Config, surroundings: &Surroundings, store: Store) -> Arc<Rooms> {
        let rooms = rooms::all(house(config, surroundings, store, None));
        Arc::new(Rooms {
            rooms: Mutex::new(rooms),
            every: Duration::from_secs(60 * u64::from(config.retention.every_minutes)),
        })
    }

    /// Visits all of them.
    pub fn visit(&self, how: How) -> Report {
        rooms::visit(&self.rooms.lock().unwrap_or_else(PoisonError::into_inner), how)
    }

    /// Frees what may go, now and then.
    pub async fn look_after(self: Arc<Rooms>) {
        let mut pause = FIRST.min(self.every);
        loop {
            tokio::time::sleep(pause).await;
            pause = self.every;
            let rooms = Arc::clone(&self);
            let Ok(report) = tokio::task::spawn_blocking(move || rooms.visit(How::Free)).await else {
                continue;
            };
            say(&report);
        }
    }
}

fn say(report: &Report) {
    for room in &report.rooms {
        if let Some(error) = &room.error {
            warn!(room = room.room, error, "a room could not be looked at");
        }
        for waste in &room.waste {
            match &waste.left {
                Some(left) => warn!(place = waste.place, why = waste.why, left, "could not be deleted"),
                None => info!(
                    place = waste.place,
                    why = waste.why,
                    bytes = waste.bytes,
                    "deleted"
                ),
            }
        }
    }
}

fn house<'a>(
    config: &'a Config,
    surroundings: &Surroundings,
    store: Store,
    closed: Option<&Path>,
) -> House<'a> {
    let image_days = config.retention.image_days;
    let variables = surroundings.variables.iter();
    House {
        data: config.data(),
        engine: settings::engine_root(config.data()),
        store,
        closed: closed.map(Path::to_owned),
        file_servers: settings::file_servers(config),
        kept: settings::kept(config),
        containers: settings::containers(config),
        images_kept: (image_days > 0).then(|| Duration::from_secs(86_400 * u64::from(image_days))),
        variables: variables
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())))
            .collect(),
    }
}

/// Visits the rooms of a data folder whose server is stopped.
pub fn gc(config: &Config, surroundings: &Surroundings, how: How) -> anyhow::Result<Report> {
    let data = config.data();
    let file = data.join(STORE);
    ensure!(
        file.is_file(),
        "there is no store in {}: check the name",
        data.display()
    );
    let _lock = FolderLock::acquire(data)?;
    let current = is_current(&file, MIGRATIONS).context("the store cannot be read")?;
    ensure!(
        current,
        "the store in {} is of another version: start the server on it once, then call this again",
        data.display()
    );
    let store = key::open_store(config, surroundings)?;
    let report = rooms::visit(
        &rooms::all(house(config, surroundings, store.clone(), Some(&file))),
        how,
    );
    store.close();
    Ok(report)
}
