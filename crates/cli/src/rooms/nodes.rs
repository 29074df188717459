//! Rooms in the engine's folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_engine_local::litter::{Litter, ask_to_tidy, idle_jobs, remove, remove_dead};
use trainyard_node::disk_bytes;
use trainyard_store::{Store, StoreError};

use super::{AT_ONCE, How, Room, RoomError, Waste, listed, paths};

/// Folders of released nodes that a crash kept from being deleted. Nobody looks into them any more.
pub struct Released(PathBuf);

impl Released {
    pub fn new(engine: &Path) -> Released {
        Released(engine.to_owned())
    }
}

impl Room for Released {
    fn name(&self) -> &'static str {
        "released nodes"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        let found = listed(&self.0, Litter::new(&self.0).released())?;
        let why = "the node was released and its folder is not deleted yet";
        Ok(paths(found, why, how, |path| remove(path).map(|()| true)))
    }
}

/// Folders of nodes that the store does not know, without a process.
pub struct Lost {
    engine: PathBuf,
    store: Store,
}

impl Lost {
    pub fn new(engine: &Path, store: Store) -> Lost {
        Lost {
            engine: engine.to_owned(),
            store,
        }
    }
}

impl Room for Lost {
    fn name(&self) -> &'static str {
        "lost nodes"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        let found = listed(&self.engine, Litter::new(&self.engine).nodes())?;
        let nodes = self.store.read(|s| s.nodes())?;
        let known: BTreeSet<Uid> = nodes.iter().map(|node| node.uid).collect();
        let lost = found
            .into_iter()
            .filter(|(uid, path)| !known.contains(uid) && !trainyard_engine_local::litter::is_alive(path));
        let why = "no cluster has this node, and it has no process";
        Ok(paths(lost.map(|(_, path)| path), why, how, remove_dead))
    }
}

/// What the last job on an idle node left. The node itself removes it, unless another job has begun there meanwhile.
pub struct IdleJobs(PathBuf);

impl IdleJobs {
    pub fn new(engine: &Path) -> IdleJobs {
        IdleJobs(engine.to_owned())
    }
}

impl Room for IdleJobs {
    fn name(&self) -> &'static str {
        "idle nodes"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        /// What empty directories take; less is not worth a line.
        const LITTLE: u64 = 64 << 10;
        let nodes = listed(&self.0, Litter::new(&self.0).nodes())?;
        let waste = |(_, node): (Uid, PathBuf)| {
            let jobs = idle_jobs(&node)?;
            let bytes = disk_bytes(&jobs);
            let asked = match how {
                How::Free if bytes > LITTLE => ask_to_tidy(&node),
                How::Free | How::Look => Ok(()),
            };
            (bytes > LITTLE).then(|| Waste {
                place: jobs.display().to_string(),
                items: 1,
                bytes: Some(bytes),
                why: "the job is over; the node removes its directory now instead of later".to_owned(),
                left: asked.err().map(|error| error.to_string()),
            })
        };
        Ok(nodes.into_iter().filter_map(waste).take(AT_ONCE).collect())
    }
}

/// Directories shared by the nodes of an attempt that is over. The directory of one that begins is made after its row
/// says that it runs, and rows are read after the directories: it is never taken for old.
pub struct Shared {
    engine: PathBuf,
    store: Store,
}

impl Shared {
    pub fn new(engine: &Path, store: Store) -> Shared {
        Shared {
            engine: engine.to_owned(),
            store,
        }
    }
}

impl Room for Shared {
    fn name(&self) -> &'static str {
        "shared directories"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        let litter = Litter::new(&self.engine);
        let found = listed(&self.engine, litter.shared())?;
        let running: BTreeSet<PlacementId> = self.store.read(|s| -> Result<_, StoreError> {
            let jobs = s.all_jobs_on_nodes()?;
            Ok(jobs.iter().map(|job| job.placement_id()).collect())
        })?;
        // A plan that is still there is that of an end that no server has heard of.
        let is_old = |id: PlacementId| !running.contains(&id) && matches!(litter.is_wanted(id), Ok(false));
        let old = found
            .into_iter()
            .filter(|(id, _)| is_old(*id))
            .map(|(_, path)| path);
        let why = "the attempt that its nodes shared it for is over";
        Ok(paths(old, why, how, |path| remove(path).map(|()| true)))
    }
}
