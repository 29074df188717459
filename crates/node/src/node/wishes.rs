//! What is wanted of a node: attempts begun, stopped and forgotten.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::ids::PlacementId;
use trainyard_domain::launch::exit_code_of;
use trainyard_domain::state::{BatchAiError, Verdict};

use super::{Node, Setup};
use crate::attempt::{Attempt, Surroundings};
use crate::fence::mark;
use crate::files::{self, Phase, PlacementStatus, WantedFile};
use crate::place;
use crate::wanted::Wish;

/// Attempts that are over and forgotten: a plan of theirs that comes late is not run again, and a server that was
/// set back to a time before their end is told that end once more.
const REMEMBERED: usize = 1024;

impl Node {
    pub(super) fn step_attempt(&mut self, ended: &[(Pid, i32)], now: Duration) {
        let Some(mut attempt) = self.attempt.take() else {
            return;
        };
        let placement = attempt.placement();
        let stop = self.wishes.get(&placement).is_some_and(|wish| wish.stop);
        let Some(verdict) = attempt.step(ended, stop, now, &self.around()) else {
            let decided = attempt.is_decided();
            self.attempt = Some(attempt);
            if decided {
                self.record_decision(placement);
            }
            return;
        };
        let keep = match verdict {
            // It has taken too much room: that is needed now.
            Verdict::OverLimit(..) => Some(0),
            _ => self.file.keep_job_temp,
        };
        let until = keep.map(|seconds| now.saturating_add(Duration::from_secs(seconds)));
        self.last_directory = Some((attempt.directory(), until));
        self.record_end(placement, verdict);
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings {
            fence: &self.fence,
            environment: &self.environment,
            view: &self.view,
            folder: self.folder.root(),
            site: &self.site,
            keep: &self.keep,
            limits: &self.limits,
        }
    }

    /// Starts what is wanted, refuses what was stopped before it began, forgets what is no longer wanted.
    pub(super) fn answer_wishes(&mut self, now: Duration) {
        let wishes = std::mem::take(&mut self.wishes);
        for (&placement, wish) in &wishes {
            if self.knows(placement) {
                continue;
            }
            let over = self.forgotten.iter().find(|(known, _)| *known == placement);
            if let Some((_, verdict)) = over {
                let verdict = verdict.clone();
                self.record_end(placement, verdict);
            } else if wish.stop {
                self.record_end(placement, Verdict::Stopped);
            } else if let Phase::SetupFailed(errors) = &self.status.phase {
                // It came before anybody knew that the node has lost a volume.
                let error = errors.first().cloned().unwrap_or_else(|| self.setup_failure(-1));
                let exit_code = exit_code_of(&error);
                self.record_end(placement, Verdict::NotStarted(error, Some(exit_code)));
            } else if self.attempt.is_none() && self.may_begin() {
                self.start(placement, now);
            }
        }
        self.forget(&wishes, now);
        self.wishes = wishes;
    }

    /// Whether an attempt may begin. None does on a volume that is dead.
    pub(super) fn may_begin(&self) -> bool {
        let whole = match &self.setup {
            Setup::Over(volumes) => !volumes.has_dead(&self.keep.borrow()),
            Setup::Mounting(..) | Setup::Making(..) | Setup::Running(..) | Setup::Renewing(_) => false,
        };
        whole && self.status.phase == Phase::Ready
    }

    pub(super) fn knows(&self, placement: PlacementId) -> bool {
        self.status
            .placements
            .iter()
            .any(|known| known.placement == placement)
    }

    pub(super) fn start(&mut self, placement: PlacementId, now: Duration) {
        let wanted: WantedFile = match files::read(&self.folder.plan(placement)) {
            Ok(wanted) => wanted,
            Err(error) => {
                crate::say(format_args!("{error}"));
                let failure = BatchAiError::new("LaunchPlanUnreadable", error.to_string());
                return self.record_end(placement, Verdict::NotStarted(failure, None));
            }
        };
        self.discard_last();
        let mark = mark(self.folder.root(), &placement.to_string());
        let attempt = Attempt::begin(wanted.plan, mark, now, &self.around());
        self.attempt = Some(attempt);
        self.status.placements.push(PlacementStatus {
            placement,
            ended: None,
            decided: false,
        });
        self.changed_a_little(now);
    }

    pub(super) fn discard_last(&mut self) {
        if let Some((last, _)) = self.last_directory.take() {
            let trash = self.view.trash();
            self.view.run(move || {
                if let Err(error) = place::discard(&last, &trash) {
                    crate::say(format_args!("cannot remove {}: {error}", last.display()));
                }
            });
        }
    }

    /// Removes what the last job left once its time is over, or somebody asked for it.
    pub(super) fn tidy(&mut self, now: Duration) {
        let asked = self.folder.tidy().exists();
        let due = matches!(&self.last_directory, Some((_, Some(at))) if now >= *at);
        if self.attempt.is_none() && (asked || due) {
            self.discard_last();
            let trash = self.view.trash();
            self.view.run(move || place::empty_trash(&trash));
        }
        if asked {
            let _ = fs::remove_file(self.folder.tidy());
        }
    }

    pub(super) fn record_end(&mut self, placement: PlacementId, verdict: Verdict) {
        let ended = Some(verdict);
        let known = self
            .status
            .placements
            .iter_mut()
            .find(|k| k.placement == placement);
        match known {
            Some(known) => known.ended = ended,
            None => self.status.placements.push(PlacementStatus {
                placement,
                ended,
                decided: false,
            }),
        }
        self.changed();
    }

    pub(super) fn record_decision(&mut self, placement: PlacementId) {
        let mut known = self.status.placements.iter_mut();
        if let Some(known) = known.find(|known| known.placement == placement && !known.decided) {
            known.decided = true;
            self.changed();
        }
    }

    pub(super) fn forget(&mut self, wishes: &BTreeMap<PlacementId, Wish>, now: Duration) {
        let before = self.status.placements.len();
        let forgotten = &mut self.forgotten;
        self.status.placements.retain(|known| {
            let keep = known.ended.is_none() || wishes.contains_key(&known.placement);
            if !keep {
                forgotten.extend(known.ended.clone().map(|verdict| (known.placement, verdict)));
            }
            keep
        });
        while self.forgotten.len() > REMEMBERED {
            self.forgotten.pop_front();
        }
        if self.status.placements.len() != before {
            self.changed_a_little(now);
        }
    }
}
