//! The way of a job, after its row is there.
//!
//! A [`Pump`] makes rounds. In each it asks the engine what it sees, decides everything inside one write
//! transaction, and tells the engine what is wanted once that is on disk. Rounds take no input: what needs a
//! look is in the rows. What an [`Effect`] tells the engine may be told twice, and is told again in a full
//! round if it was lost with a crash.

mod clusters;
mod deletions;
mod effects;
mod gpus;
mod jobs;
mod observations;
mod preemption;
mod room;
mod setbacks;
mod shares;
mod sources;
mod vaults;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::error;
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::spec::KeysOfRequests;
use trainyard_domain::state::BatchAiError;
use trainyard_engine::{Capacity, NodeSeen, Observation, PlacementSeen};
use trainyard_store::{StoreError, Tx};

pub use effects::{Effect, delete_folders};
pub use jobs::{apply_to_job, begin_job_deletion};
pub use preemption::{job_on, preempt};

use vaults::Desk;

use crate::ports::Ports;
use crate::settings::Settings;
use shares::Shares;

/// Makes rounds. There is one at a time.
pub struct Pump {
    settings: Settings,
    ports: Ports,
    /// What was seen while telling the engine, to be applied in the next round.
    seen: Vec<Observation>,
    /// Attempts that could not be told to the engine, and why, to be applied in the next round.
    refused: Vec<(PlacementId, BatchAiError)>,
    /// What waits for secrets of key vaults.
    desk: Desk,
    /// Storage accounts whose keys come with what mounts their shares.
    keys: Arc<KeysOfRequests>,
    /// Folders that were taken away, to be noted in the next round.
    removed: Vec<String>,
    /// What is known of shares in stores elsewhere.
    shares: Shares,
    /// The last round failed, so what it had observed is lost: look at everything.
    full_next: bool,
    /// How many free ports a round is to know: as many as one has lacked for a job. It stays so until a full
    /// round, which looks at that job in any case: those between may look at others alone.
    free_ports: usize,
}

/// How many free ports a round knows when no job has asked for more.
const FREE_PORTS: usize = 8;

/// Why a round failed. Nothing of it is stored; the next one looks at everything.
#[derive(Debug, thiserror::Error)]
#[error("a round could not be stored")]
pub struct PumpError(#[source] StoreError);

/// What came of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// There is more to do at once.
    pub again: bool,
    /// Nodes may have been made or removed.
    pub nodes: bool,
    /// File servers may have been made or removed.
    pub file_servers: bool,
}

/// What a round has decided; it is on disk.
#[derive(Default)]
pub struct Decided {
    /// What the engine is to be told now, in this order.
    pub effects: Vec<Effect>,
    /// There is more to do at once.
    pub again: bool,
    /// So many free ports a job needs and too few were known; 0 when there were enough.
    pub ports_lacking: usize,
}

impl Pump {
    /// A pump whose first round looks at everything. `wake` is called when it should make another.
    pub fn new(settings: Settings, ports: Ports, wake: Arc<dyn Fn() + Send + Sync>) -> Pump {
        let without_key = ports.accounts.without_key().map(ToString::to_string);
        Pump {
            keys: Arc::new(KeysOfRequests::of(without_key)),
            settings,
            ports,
            shares: Shares::new(wake),
            seen: Vec::new(),
            refused: Vec::new(),
            desk: Desk::default(),
            removed: Vec::new(),
            full_next: true,
            free_ports: FREE_PORTS,
        }
    }

    /// One round; a full one looks at everything there is, as after a restart.
    ///
    /// # Errors
    /// The store's.
    pub fn round(&mut self, full: bool) -> Result<Progress, PumpError> {
        let decided = self.decide(full)?;
        let effects: Vec<Effect> = decided.effects.into_iter().chain(self.fetched()).collect();
        let of_nodes = |effect: &Effect| matches!(effect, Effect::EnsureNode { .. } | Effect::ReleaseNode(_));
        let nodes = full || effects.iter().any(of_nodes);
        let of_folders = |effect: &Effect| matches!(effect, Effect::RemoveFolder(_));
        let file_servers = full || effects.iter().any(of_folders);
        for effect in effects {
            // A mistake of ours with one job must not keep the others from the engine.
            if catch_unwind(AssertUnwindSafe(|| self.perform(effect))).is_err() {
                error!("telling the engine panicked; it is told again in a full round");
            }
        }
        Ok(Progress {
            nodes,
            file_servers,
            again: decided.again
                || !(self.seen.is_empty() && self.refused.is_empty() && self.removed.is_empty()),
        })
    }

    /// The first half of a round: what is seen becomes what is stored.
    ///
    /// # Errors
    /// The store's.
    pub fn decide(&mut self, full: bool) -> Result<Decided, PumpError> {
        let now = self.ports.clock.now_in_millis();
        // What waited for a share is told now: it is found as what a crash has kept from the engine.
        let full = std::mem::take(&mut self.full_next) | self.shares.have_news(now) | full;
        let mut seen = std::mem::take(&mut self.seen);
        let refused = std::mem::take(&mut self.refused);
        let removed = std::mem::take(&mut self.removed);
        let engine = &self.ports.engine;
        if full {
            seen.extend(engine.observe_all());
        } else {
            // That an attempt has begun changes nothing that is stored; not to write it saves a commit.
            let begun = |o: &Observation| {
                matches!(
                    o,
                    Observation::Placement {
                        seen: PlacementSeen::Active,
                        ..
                    }
                )
            };
            seen.extend(engine.observe().into_iter().filter(|o| !begun(o)));
        }
        let decided = self.is_due(full, &seen, now).and_then(|due| {
            if !due && refused.is_empty() && removed.is_empty() {
                return Ok(Decided::default());
            }
            let last_words = seen.iter().filter_map(|seen| match seen {
                Observation::Node {
                    node,
                    seen: NodeSeen::Gone,
                } => Some((*node, engine.last_words(*node)?)),
                Observation::Node { .. } | Observation::Placement { .. } => None,
            });
            let round = Round {
                last_words: last_words.collect(),
                settings: self.settings.clone(),
                capacity: engine.capacity(self.free_ports),
                now,
                full,
                vaults: self.ports.vaults.is_some(),
                keys: self.keys.clone(),
            };
            let write = self
                .ports
                .store
                .write(move |tx| round.run(tx, seen, refused, &removed));
            write.wait().map_err(|error| error.flatten())
        });
        if let Ok(decided) = &decided {
            let least = if full { FREE_PORTS } else { self.free_ports };
            self.free_ports = least.max(decided.ports_lacking);
        }
        decided.map_err(|error| {
            self.full_next = true;
            PumpError(error)
        })
    }

    fn is_due(&self, full: bool, seen: &[Observation], now: Timestamp) -> Result<bool, StoreError> {
        if full || !seen.is_empty() {
            return Ok(true);
        }
        self.ports
            .store
            .read(|s| Ok(s.next_look()?.is_some_and(|due| due <= now) || s.deletions_are_due()?))
    }
}

/// One round's decisions: from what was seen and what is stored to what is stored and to be told.
struct Round {
    settings: Settings,
    capacity: Capacity,
    now: Timestamp,
    full: bool,
    /// Secrets can be fetched from key vaults.
    vaults: bool,
    /// What nodes said last that are gone.
    last_words: BTreeMap<Uid, String>,
    /// Storage accounts whose keys come with what mounts their shares.
    keys: Arc<KeysOfRequests>,
}

impl Round {
    fn run(
        &self,
        tx: &Tx<'_>,
        seen: Vec<Observation>,
        refused: Vec<(PlacementId, BatchAiError)>,
        removed: &[String],
    ) -> Result<Decided, StoreError> {
        let mut decided = Decided::default();
        let known: BTreeSet<_> = seen.iter().filter_map(placement_of).collect();
        let nodes: BTreeSet<Uid> = seen.iter().filter_map(node_of).collect();
        self.observe(tx, seen, &mut decided)?;
        for (id, error) in refused {
            self.refuse(tx, id, error)?;
        }
        for name in removed {
            tx.folder_is_removed(name)?;
        }
        if self.full {
            self.tell_again(tx, &nodes, &known, &mut decided)?;
            tx.look_at_all_clusters()?;
            let error = BatchAiError::new(
                "OperationTimedOut",
                "The operation did not reach its end in time. Look at the resource and try again.",
            );
            let kept = self.settings.kept;
            tx.sweep_operations(self.now, self.now - kept.operations, &error)?;
            tx.sweep_events(kept.events.map(|age| self.now - age), kept.most_events)?;
            tx.give_pages_back()?;
        }
        self.delete(tx, &mut decided)?;
        for cluster in tx.clusters_to_look_at(self.now)? {
            self.look_at(tx, cluster, &mut decided)?;
        }
        decided.again |= tx.next_look()?.is_some_and(|due| due <= self.now);
        Ok(decided)
    }
}

/// The node that is there by an observation.
fn node_of(seen: &Observation) -> Option<Uid> {
    match seen {
        Observation::Node {
            seen: NodeSeen::Gone, ..
        }
        | Observation::Placement { .. } => None,
        Observation::Node { node, .. } => Some(*node),
    }
}

/// The attempt on a node that an observation is about.
fn placement_of(seen: &Observation) -> Option<(Uid, PlacementId)> {
    match seen {
        Observation::Node { .. } => None,
        Observation::Placement { node, placement, .. } => Some((*node, *placement)),
    }
}
