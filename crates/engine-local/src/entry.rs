//! What the engine knows of one node.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::NodePlan;
use trainyard_engine::{NodeSeen, Observation, PlacementSeen};
use trainyard_node::files::{self, Folder, Phase, StatusFile, WantedFile};
use trainyard_node::machine::{boot_id, since_boot};
use trainyard_node::wanted::scan;

use crate::due::{Due, Look};

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

/// A node.
#[derive(Debug)]
pub struct Entry {
    /// Its folder.
    pub folder: Folder,
    /// Whether it is kept apart, which tells its paths.
    pub isolated: bool,
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
    pub fn new(folder: Folder, isolated: bool, life: Life) -> Entry {
        Entry {
            folder,
            isolated,
            life,
            leave_by: None,
            seen: NodeSeen::Preparing,
            placements: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            status: None,
            due: BTreeMap::new(),
        }
    }

    /// An attempt is wanted, since `since`.
    pub fn expect(&mut self, wanted: &WantedFile, since: Duration, within: Duration) {
        let longest = Duration::from_secs(u64::try_from(wanted.plan.max_seconds).unwrap_or(0));
        let grace = Duration::from_secs(wanted.plan.grace_seconds.into());
        let due = Due::launched(since, longest, grace, within).after(self.sign());
        self.due.entry(wanted.plan.placement).or_insert(due);
    }

    /// An attempt is to be stopped, if it is not over.
    pub fn expect_stop(&mut self, placement: PlacementId, within: Duration) {
        if !self.is_over(placement) {
            let unknown = || Due::unknown().after(self.sign());
            let mut due = self.due.remove(&placement).unwrap_or_else(unknown);
            due.stop(since_boot(), within);
            self.due.insert(placement, due);
        }
    }

    /// Whether the node has said that an attempt is over, forgotten or not.
    pub fn is_over(&self, placement: PlacementId) -> bool {
        let mut said = self.status.iter().flat_map(|status| &status.placements);
        said.any(|known| known.placement == placement && known.ended.is_some())
    }

    /// Finds out what another engine has told the node. Times of another boot mean nothing: what ran then is lost.
    pub fn expect_what_is_told(&mut self, within: Duration) {
        if !self
            .status
            .as_ref()
            .is_some_and(|status| status.boot_id == boot_id())
        {
            return;
        }
        for (placement, wish) in scan(&self.folder) {
            if self.is_over(placement) {
                continue;
            }
            if let (true, Ok(wanted)) = (wish.plan, files::read::<WantedFile>(&self.folder.plan(placement))) {
                let since = wanted.since.unwrap_or_else(since_boot);
                self.expect(&wanted, since, within);
            }
            if wish.stop {
                self.expect_stop(placement, within);
            }
        }
    }

    /// Attempts for which the node must be killed, and when to look again.
    pub fn overdue(&mut self, now: Duration, within: Duration) -> (Vec<PlacementId>, Option<Duration>) {
        let (mut kill, mut next) = (Vec::new(), None::<Duration>);
        let sign = self.folder.alive();
        for (placement, due) in &mut self.due {
            match due.look(now, || sign_in(&sign), within) {
                Some(Look::Kill) => kill.push(*placement),
                Some(Look::At(at)) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        (kill, next)
    }

    /// The node is gone: attempts that it should have ended before have ended by that, and are not lost with it. What all
    /// have decided stays so.
    pub fn end_overdue(&mut self, node: Uid, now: Duration) -> Vec<Observation> {
        let mut news = Vec::new();
        for (placement, due) in std::mem::take(&mut self.due) {
            let seen = self.placements.get(&placement);
            let open =
                matches!(seen, None | Some(PlacementSeen::Active)) && !self.forgotten.contains(&placement);
            if let Some(verdict) = due.ended(now).filter(|_| open) {
                let seen = PlacementSeen::Ended(verdict);
                self.placements.insert(placement, seen.clone());
                news.push(Observation::Placement {
                    node,
                    placement,
                    seen,
                });
            }
        }
        news
    }

    fn sign(&self) -> Option<SystemTime> {
        sign_in(&self.folder.alive())
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

fn sign_in(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|file| file.modified()).ok()
}
