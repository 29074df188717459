//! The end: until nothing of the attempt is left, and what comes of it.

use std::task::Poll;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use trainyard_domain::launch::exit_code_of;
use trainyard_domain::state::{BatchAiError, Verdict};

use super::{Attempt, SAY_AFTER, Stage, Surroundings};
use crate::journal::Journal;
use crate::machine::is_stuck;
use crate::process::NotStarted;
use crate::verdict::in_view_of;
use crate::view::Names;
use crate::volume::flush::Flush;

/// First and longest pause between looks for what is left. Children announce their end, so this matters
/// only for processes that are not ours to wait for.
const ENDING_PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));
/// Longest time between SIGTERM and SIGKILL for a job that writes too much: it may go on writing meanwhile.
const OVER_LIMIT_GRACE: Duration = Duration::from_secs(2);
/// How long the execution log's volume may take to write it.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);
/// How long after SIGKILL volumes are taken from processes that cannot end for them.
const FORCE_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Ending {
    verdict: Verdict,
    kill_at: Duration,
    pub(super) look_at: Duration,
    pause: Duration,
    /// When volumes are taken from what is left, and whether the job's own were.
    force_at: Duration,
    forced: bool,
}

impl Ending {
    /// Kills what is left when the grace is over, and says when to look again.
    fn wait_for(&mut self, left: usize, now: Duration, journal: &Journal, kill: impl FnOnce()) {
        if now >= self.kill_at {
            journal.say(format_args!("{left} processes are left and are killed"));
            kill();
        }
        let next = now + self.pause;
        self.look_at = if now < self.kill_at {
            next.min(self.kill_at)
        } else {
            next
        };
        self.pause = (self.pause * 2).min(ENDING_PAUSES.1);
    }
}

impl Attempt {
    /// A process that fails since it may write no more has failed for that reason.
    pub(super) fn judged(&mut self, verdict: Verdict, now: Duration) -> Verdict {
        let code = match &verdict {
            Verdict::Exited(0) => return verdict,
            Verdict::Exited(code) | Verdict::PreparationFailed(code) => *code,
            _ => return verdict,
        };
        match self.caps.as_mut().and_then(|caps| caps.last_look(now)) {
            Some(error) => {
                self.journal
                    .say(format_args!("{}: {}", error.code, error.message));
                Verdict::OverLimit(error, Some(code))
            }
            None => verdict,
        }
    }

    /// Somebody wants an end that is near already: volumes are waited for less long.
    pub(super) fn hurry(&mut self, now: Duration) {
        if let Stage::Flushing(_, flush) = &mut self.stage {
            flush.hurry(now);
        }
        if let Stage::Settling(_, until) = &mut self.stage {
            *until = now;
        }
    }

    /// It cannot run here.
    pub(super) fn refuse(&mut self, error: BatchAiError, now: Duration, around: &Surroundings) {
        self.journal.say(describe(&error));
        let exit_code = exit_code_of(&error);
        self.end(Verdict::NotStarted(error, Some(exit_code)), now, around);
    }

    pub(super) fn end_not_started(&mut self, why: NotStarted, now: Duration, around: &Surroundings) {
        self.journal.say(&why.error.message);
        self.end(Verdict::NotStarted(why.error, Some(why.exit_code)), now, around);
    }

    /// The verdict is known; what still runs is asked to end.
    pub(super) fn end(&mut self, verdict: Verdict, now: Duration, around: &Surroundings) {
        let verdict = self.judged(verdict, now);
        let mut grace = Duration::from_secs(u64::from(self.plan.grace_seconds));
        if matches!(verdict, Verdict::OverLimit(..)) {
            grace = grace.min(OVER_LIMIT_GRACE);
        }
        self.remote = None;
        self.volumes.give_up();
        match &mut self.container {
            // What waits for its processes ends with them.
            Some(container) => {
                container.give_up(now);
                container.stop();
            }
            None => around.fence.signal(&self.mark, Signal::TERM),
        }
        self.stage = Stage::Ending(Ending {
            verdict,
            kill_at: now + grace,
            look_at: now,
            pause: ENDING_PAUSES.0,
            force_at: now + grace + FORCE_AFTER,
            forced: false,
        });
    }

    pub(super) fn conclude(&mut self, now: Duration, around: &Surroundings) -> Option<Verdict> {
        if let Stage::Ending(ending) = &mut self.stage {
            let left = around.fence.members(&self.mark);
            if !left.is_empty() {
                ending.wait_for(left.len(), now, &self.journal, || around.fence.kill(&self.mark));
                self.force(&left, now, around);
                return None;
            }
            let verdict = ending.verdict.clone();
            let verdict = in_view_of(around.limits, &mut self.before, verdict, &self.journal);
            self.journal.say(format_args!("over: {}", in_words(&verdict)));
            self.stage = Stage::Removing(verdict);
        }
        if let Stage::Removing(verdict) = &self.stage {
            let verdict = verdict.clone();
            if let Some(container) = &mut self.container
                && container.remove(now, around.fence).is_pending()
            {
                return None;
            }
            self.container = None;
            self.stage = Stage::Settling(verdict, now + SETTLE_WITHIN);
        }
        if let Stage::Settling(verdict, until) = &self.stage {
            if !self.journal.is_settled() && now < *until {
                return None;
            }
            let verdict = verdict.clone();
            self.stage = Stage::Flushing(verdict, Flush::new(around.keep.borrow().ids()));
        }
        if let Stage::Flushing(verdict, flush) = &mut self.stage {
            let Poll::Ready(unstored) = flush.step(now, &around.keep.borrow(), around.fence) else {
                return None;
            };
            let verdict = verdict.clone();
            around.keep.borrow_mut().give_up(flush.given_up());
            for error in &unstored {
                self.journal.say(describe(error));
            }
            let dead = around.keep.borrow().dead();
            let wait = if unstored.is_empty() {
                SETTLE_WITHIN
            } else {
                SAY_AFTER
            };
            self.stage = Stage::Unmounting(judge(verdict, unstored, dead), now + wait);
        }
        // A later job on this node no longer sees this one's volumes (behaviour.md section 5).
        let Stage::Unmounting(verdict, until) = &self.stage else {
            return None;
        };
        let verdict = verdict.clone();
        if !self.journal.is_settled() && now < *until {
            return None;
        }
        self.journal.close();
        if self.volumes.unmount(now, around.tools()).is_pending() {
            return None;
        }
        let shared = &self.plan.shared_directory;
        around.view.hide(&shared.source, &shared.path);
        around.view.hide_since(&self.shown);
        if matches!(verdict, Verdict::OverLimit(..)) {
            // It may have filled what was there before, and the room is needed.
            self.lay_about = Names::default();
        }
        around
            .view
            .clear(&self.lay_about, &self.plan.placement.to_string());
        Some(verdict)
    }

    /// Processes that wait for a volume cannot even be killed. It is taken from them: first the job's own, then all of
    /// the node's, which are mounted anew before another attempt.
    pub(super) fn force(&mut self, left: &[Pid], now: Duration, around: &Surroundings) {
        let Stage::Ending(ending) = &mut self.stage else {
            return;
        };
        let stuck = left.iter().filter(|pid| is_stuck(**pid)).count();
        if now < ending.force_at || stuck == 0 {
            return;
        }
        ending.force_at = now + FORCE_AFTER;
        let own = self.volumes.ids();
        let ids = match std::mem::replace(&mut ending.forced, true) || own.is_empty() {
            true => around.keep.borrow().ids(),
            false => own,
        };
        for at in around.keep.borrow().take_from_all(&ids, around.fence, now) {
            let what = format!(
                "{stuck} processes cannot be killed: they wait for a volume. That at {at} is taken away"
            );
            self.journal.say(&what);
            crate::say(format_args!("attempt {}: {what}", self.plan.placement));
        }
    }
}

/// A success is none when its outputs did not reach their stores; a failure may have come from a volume that died.
fn judge(verdict: Verdict, unstored: Vec<BatchAiError>, dead: Option<BatchAiError>) -> Verdict {
    let lost = unstored.into_iter().next();
    match (verdict, lost, dead) {
        (Verdict::Exited(0), Some(error), _) => Verdict::VolumeFailed(error, 0),
        (Verdict::Exited(code), Some(error), None) | (Verdict::Exited(code), _, Some(error)) if code != 0 => {
            Verdict::VolumeFailed(error, code)
        }
        (verdict, _, _) => verdict,
    }
}

/// An error with what goes with it, for the execution log.
pub fn describe(error: &BatchAiError) -> String {
    let mut text = format!("{}: {}", error.code, error.message);
    for (_, value) in error.details.iter().filter(|(name, _)| name == "Info") {
        text = format!("{text} ({value})");
    }
    text
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Exited(code) => format!("exit code {code}"),
        Verdict::PreparationFailed(code) => format!("job preparation failed with exit code {code}"),
        Verdict::TimedOut => "stopped after the longest time allowed".to_owned(),
        Verdict::Stopped => "stopped as wanted".to_owned(),
        Verdict::NotStarted(error, _) => format!("not started, {}", error.code),
        Verdict::OverLimit(error, _) => format!("over its limit, {}", error.code),
        Verdict::VolumeFailed(error, code) => format!("exit code {code}, {}", error.code),
        Verdict::OutOfMemory(cut, _) => format!("{}, for want of memory", in_words(&cut.verdict())),
    }
}
