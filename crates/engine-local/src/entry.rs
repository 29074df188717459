//! What the engine knows of one node.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::NodePlan;
use trainyard_engine::{NodeSeen, Observation, PlacementSeen};
use trainyard_node::files::{Folder, Phase, StatusFile};
use trainyard_node::isolation::Network;

use crate::bridge::Guest;
use crate::due::Due;

/// A running node process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Becomes readable at its end; no other process is ever meant by it.
    pub handle: Arc<OwnedFd>,
    /// Set when it is our child: we have to take note of its end.
    pub child: Option<Arc<std::sync::Mutex<Child>>>,
}

/// How far a node's process is.
#[derive(Debug)]
pub enum Life {
    /// Wanted, to be started now or when the time has come.
    Wanted {
        /// What it has to be.
        plan: Box<NodePlan>,
        /// Not before, since boot.
        not_before: Duration,
    },
    /// It runs.
    Running(Process),
    /// It has ended; what it left is being ended.
    Sweeping,
    /// It has ended and nothing is left. Its folder stays as a tombstone.
    Gone,
}

/// How far a node is kept apart. It was started so and stays so, whatever the settings are later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// Not at all.
    Plain,
    /// It has namespaces of its own.
    Isolated {
        /// The bridge on which it has a network of its own; without, the network is the machine's.
        network: Option<Network>,
    },
}

/// A node.
#[derive(Debug)]
pub struct Entry {
    /// Its folder.
    pub folder: Folder,
    /// How far it is kept apart, which tells its paths.
    pub level: Level,
    /// Its process.
    pub life: Life,
    /// When it is to be killed, since boot, if it was told to leave.
    pub leave_by: Option<Duration>,
    /// What was last seen.
    pub seen: NodeSeen,
    /// What was last seen of attempts.
    pub placements: BTreeMap<PlacementId, PlacementSeen>,
    /// Attempts that were forgotten here and that the node still has to forget.
    pub forgotten: BTreeSet<PlacementId>,
    /// Status that was last read.
    pub status: Option<StatusFile>,
    /// When attempts must be over that are not.
    pub due: BTreeMap<PlacementId, Due>,
}

impl Entry {
    /// A node in `folder`.
    pub fn new(folder: Folder, level: Level, life: Life) -> Entry {
        Entry {
            folder,
            level,
            life,
            leave_by: None,
            seen: NodeSeen::Preparing,
            placements: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            status: None,
            due: BTreeMap::new(),
        }
    }

    /// What it is for the bridge, if it runs there.
    pub fn guest(&self, node: Uid) -> Option<Guest> {
        match (&self.level, &self.life) {
            (Level::Isolated { network }, Life::Running(_)) => Some(Guest {
                node,
                network: network.clone()?,
            }),
            _ => None,
        }
    }

    /// Everything that is seen of it: attempts first, so that how they ended counts although the node is
    /// gone. Of a node that is gone, nothing is active.
    pub fn all(&self, node: Uid) -> Vec<Observation> {
        let gone = self.seen == NodeSeen::Gone;
        let mut all: Vec<Observation> = self
            .placements
            .iter()
            .filter(|(_, seen)| !gone || matches!(seen, PlacementSeen::Ended(_)))
            .map(|(placement, seen)| Observation::Placement {
                node,
                placement: *placement,
                seen: seen.clone(),
            })
            .collect();
        all.push(Observation::Node {
            node,
            seen: self.seen.clone(),
        });
        all
    }

    /// Takes in a status, says what is new in it.
    pub fn absorb(&mut self, node: Uid, status: StatusFile) -> Vec<Observation> {
        let mut news = Vec::new();
        let seen = match &status.phase {
            Phase::Preparing => NodeSeen::Preparing,
            Phase::Ready => NodeSeen::Ready,
            Phase::SetupFailed(errors) => NodeSeen::SetupFailed(errors.clone()),
        };
        if self.status.is_none() || self.seen != seen {
            self.seen = seen.clone();
            news.push(Observation::Node { node, seen });
        }
        let listed: BTreeSet<PlacementId> = status.placements.iter().map(|p| p.placement).collect();
        self.forgotten.retain(|placement| listed.contains(placement));
        self.placements.retain(|placement, _| listed.contains(placement));
        for known in &status.placements {
            let placement = known.placement;
            let seen = match (&known.ended, known.decided) {
                (Some(verdict), _) => PlacementSeen::Ended(verdict.clone()),
                (None, true) => PlacementSeen::Decided,
                (None, false) => PlacementSeen::Active,
            };
            let new = self.placements.get(&placement) != Some(&seen);
            if new && !self.forgotten.contains(&placement) {
                self.placements.insert(placement, seen.clone());
                news.push(Observation::Placement {
                    node,
                    placement,
                    seen,
                });
            }
        }
        for known in status.placements.iter().filter(|known| known.ended.is_some()) {
            self.due.remove(&known.placement);
        }
        self.status = Some(status);
        news
    }
}
