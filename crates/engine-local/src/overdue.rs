//! What a node should have ended, and how it ended when the node is killed for it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_engine::{Observation, PlacementSeen};
use trainyard_node::files::{self, WantedFile};
use trainyard_node::machine::{boot_id, since_boot};
use trainyard_node::wanted::scan;

use crate::due::{Due, Look};
use crate::entry::Entry;

impl Entry {
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
            let unknown = Due::unknown().after(self.sign());
            let due = self.due.entry(placement).or_insert(unknown);
            due.stop(since_boot(), within);
        }
    }

    /// Whether the node has said that an attempt is over, forgotten or not.
    pub fn is_over(&self, placement: PlacementId) -> bool {
        let mut said = self.status.iter().flat_map(|status| &status.placements);
        said.any(|known| known.placement == placement && known.ended.is_some())
    }

    /// Finds out what another engine has told the node. Times of another boot mean nothing: what ran then is lost.
    pub fn expect_what_is_told(&mut self, within: Duration) {
        let known = self.status.as_ref();
        if known.is_none_or(|status| status.boot_id != boot_id()) {
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
}

fn sign_in(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|file| file.modified()).ok()
}
