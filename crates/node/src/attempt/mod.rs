//! One attempt of a job on this node, from its directories to the moment when nothing of it is left.

mod end;
mod rise;
mod surroundings;

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use trainyard_domain::ids::PlacementId;
use trainyard_domain::launch::LaunchPlan;
use trainyard_domain::state::{BatchAiError, Verdict};

use crate::caps::{Caps, Found};
use crate::cgroup::Before;
use crate::commands::start_command;
use crate::container::Contained;
use crate::journal::Journal;
use crate::mountinfo::Mounted;
use crate::process::{NotStarted, Prepared};
use crate::remote::Listener;
use crate::view::{Doing, Names};
use crate::volume::flush::Flush;
use crate::volumes::Volumes;

use end::Ending;
pub use end::describe;
pub use surroundings::Surroundings;

/// When the node's log says what an attempt waits for.
const SAY_AFTER: Duration = Duration::from_secs(10);

/// A running attempt.
#[derive(Debug)]
pub struct Attempt {
    plan: Arc<LaunchPlan>,
    mark: String,
    journal: Journal,
    deadline: Duration,
    stage: Stage,
    volumes: Volumes,
    /// What its node showed before it.
    shown: Vec<Mounted>,
    /// What its processes run in, if not on the node itself.
    container: Option<Contained>,
    /// Takes commands from the attempt's other nodes until its end is near.
    remote: Option<Listener>,
    /// Watches how much it writes, once its directories are there.
    caps: Option<Caps>,
    /// What the kernel had counted before.
    before: Before,
    /// What lay in directories of the node before.
    lay_about: Names,
    /// When it began to wait for what may take long; none once that is said.
    waits_since: Option<Duration>,
}

#[derive(Debug)]
enum Stage {
    Mounting,
    /// Its directories and files are made, which may be on volumes.
    Making(Doing<Made>),
    /// Its container comes.
    Containing,
    /// What its next processes need is opened, which may be on volumes.
    Opening(Doing<Result<Vec<Prepared>, NotStarted>>, Next),
    Preparing(Pid),
    Waiting {
        look_at: Duration,
        pause: Duration,
    },
    Running(Vec<Live>),
    /// What decides has ended with 0; other processes go on until the attempt is stopped.
    Decided,
    Ending(Ending),
    /// Nothing of it runs any more; its container is removed.
    Removing(Verdict),
    /// What was said goes to the execution log, which may be on a volume.
    Settling(Verdict, Duration),
    /// Nothing of it runs any more; what it wrote to volumes, the cluster's too, goes to their stores.
    Flushing(Verdict, Flush),
    /// Its volumes are taken away, once the last is said or this time is over.
    Unmounting(Verdict, Duration),
}

/// What was found once directories and files are made, or why they cannot be.
type Made = Result<Found, BatchAiError>;

/// What is started next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Preparation,
    Processes,
}

#[derive(Debug)]
struct Live {
    pid: Pid,
    name: String,
    decides: bool,
}

impl Attempt {
    /// Begins with its directory and its volumes. Times are since boot.
    pub fn begin(plan: LaunchPlan, mark: String, now: Duration, around: &Surroundings) -> Attempt {
        let allowed = Duration::from_secs(u64::try_from(plan.max_seconds).unwrap_or(0));
        let mut attempt = Attempt {
            mark,
            journal: Journal::new(Some(&plan.execution_log), around.view).at_most(plan.caps.execution_log),
            deadline: now.saturating_add(allowed),
            stage: Stage::Mounting,
            volumes: Volumes::new(plan.mounts.clone()),
            shown: around.view.shown(),
            container: None,
            remote: None,
            caps: None,
            before: around.limits.counters().begin(),
            lay_about: around.view.lying_about(),
            waits_since: None,
            plan: Arc::new(plan),
        };
        match attempt.clear_room(around) {
            Ok(()) => attempt.mount(now, around),
            Err(error) => attempt.refuse(error, now, around),
        }
        attempt
    }

    /// Which attempt.
    pub fn placement(&self) -> PlacementId {
        self.plan.placement
    }

    /// Its directory.
    pub fn directory(&self) -> PathBuf {
        PathBuf::from(&self.plan.job_directory)
    }

    /// Its volumes, when the node leaves.
    pub fn into_volumes(self) -> Volumes {
        self.journal.close();
        self.volumes
    }

    /// Whether what decides has ended with 0, while the rest goes on.
    pub fn is_decided(&self) -> bool {
        matches!(self.stage, Stage::Decided)
    }

    /// Whether its verdict is known and it is being ended.
    pub fn is_ending(&self) -> bool {
        self.stage.is_over()
    }

    /// What to wait for beside signals: commands from other nodes, once this one has its directories.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let remote = self.remote.as_ref().filter(|_| self.takes_commands());
        remote.into_iter().flat_map(Listener::descriptors)
    }

    /// When to call [`Attempt::step`] again, if nothing happens before.
    pub fn wake_at(&self) -> Duration {
        let next = self.caps.as_ref().map_or(self.deadline, Caps::next_look);
        let deadline = self.deadline.min(next);
        match &self.stage {
            Stage::Mounting => self.volumes.wake_at().map_or(deadline, |at| at.min(deadline)),
            Stage::Containing => {
                let step = self.container.as_ref().and_then(Contained::wake_at);
                step.map_or(deadline, |at| at.min(deadline))
            }
            Stage::Removing(_) => {
                let step = self.container.as_ref().and_then(Contained::wake_at);
                step.unwrap_or(deadline)
            }
            Stage::Settling(_, until) => *until,
            Stage::Flushing(_, flush) => flush.wake_at().unwrap_or(self.deadline),
            Stage::Unmounting(_, until) => self.volumes.wake_at().unwrap_or(*until),
            Stage::Making(_)
            | Stage::Opening(..)
            | Stage::Preparing(_)
            | Stage::Running(_)
            | Stage::Decided => self
                .waits_since
                .map_or(deadline, |since| deadline.min(since + SAY_AFTER)),
            Stage::Waiting { look_at, .. } => deadline.min(*look_at),
            Stage::Ending(ending) => ending.look_at,
        }
    }

    /// Goes on after processes have ended, a stop is wanted or time has passed. The verdict comes when
    /// nothing of the attempt is left running.
    pub fn step(
        &mut self,
        ended: &[(Pid, i32)],
        stop: bool,
        now: Duration,
        around: &Surroundings,
    ) -> Option<Verdict> {
        self.volumes.hear(ended);
        if let Some(container) = &mut self.container {
            container.hear(ended);
        }
        if let Stage::Flushing(_, flush) = &mut self.stage {
            flush.hear(ended);
        }
        for error in around.keep.borrow_mut().newly_dead() {
            self.journal.say(describe(&error));
        }
        for &(pid, code) in ended {
            self.note(pid, code, now, around);
            if let Some(remote) = &mut self.remote {
                remote.ended(pid, code);
            }
        }
        if !self.stage.is_over() {
            // What has decided stays so, whatever ends the rest.
            let decided = self.is_decided().then_some(Verdict::Exited(0));
            if stop {
                self.journal.say("a stop is wanted");
                self.end(decided.unwrap_or(Verdict::Stopped), now, around);
            } else if now >= self.deadline {
                self.journal.say("the longest time allowed is over");
                self.end(decided.unwrap_or(Verdict::TimedOut), now, around);
            }
        } else if stop {
            self.hurry(now);
        }
        self.look_at_caps(now, around);
        if matches!(self.stage, Stage::Mounting) {
            self.mount(now, around);
        }
        if let Stage::Making(doing) = &mut self.stage
            && let Some(made) = doing.poll()
        {
            self.made(made, now, around);
        }
        if matches!(self.stage, Stage::Containing) {
            self.contain(now, around);
        }
        if let Stage::Opening(doing, next) = &mut self.stage
            && let Some(opened) = doing.poll()
        {
            let next = *next;
            self.opened(opened, next, now, around);
        }
        self.say_what_it_waits_for(now);
        if let Stage::Waiting { look_at, pause } = self.stage
            && now >= look_at
        {
            self.look_at_barrier(now, pause, around);
        }
        if self.takes_commands() {
            self.take_commands(around);
        }
        self.conclude(now, around)
    }

    /// Ends the attempt if it writes more than it may. What has decided ends well all the same.
    fn look_at_caps(&mut self, now: Duration, around: &Surroundings) {
        if self.stage.is_over() {
            return;
        }
        let due = self.caps.as_mut().filter(|caps| now >= caps.next_look());
        if let Some(error) = due.and_then(|caps| caps.look(now)) {
            self.journal
                .say(format_args!("{}: {}", error.code, error.message));
            let decided = self.is_decided().then_some(Verdict::Exited(0));
            self.end(decided.unwrap_or(Verdict::OverLimit(error, None)), now, around);
        }
    }

    fn takes_commands(&self) -> bool {
        match self.stage {
            Stage::Preparing(_) | Stage::Waiting { .. } | Stage::Running(_) | Stage::Decided => true,
            Stage::Mounting
            | Stage::Making(_)
            | Stage::Containing
            | Stage::Opening(..)
            | Stage::Ending(_)
            | Stage::Removing(_)
            | Stage::Settling(..)
            | Stage::Flushing(..)
            | Stage::Unmounting(..) => false,
        }
    }

    /// Starts what other nodes want started here.
    fn take_commands(&mut self, around: &Surroundings) {
        let (Some(listener), Some(remote)) = (&mut self.remote, &self.plan.remote) else {
            return;
        };
        let (journal, mark) = (&self.journal, &self.mark);
        let container = &mut self.container;
        let hung_up = listener
            .step(|request, _| start_command(request, remote, around, mark, journal, container.as_mut()));
        // As of a terminal that hangs up; a command that made itself independent goes on.
        for pid in hung_up {
            let _ = kill_process_group(pid, Signal::HUP);
        }
    }

    fn note(&mut self, pid: Pid, code: i32, now: Duration, around: &Surroundings) {
        match &mut self.stage {
            Stage::Preparing(preparation) if *preparation == pid => {
                self.journal
                    .say(format_args!("job preparation ended with exit code {code}"));
                if code == 0 {
                    self.prepared(now, around);
                } else {
                    self.end(Verdict::PreparationFailed(code), now, around);
                }
            }
            Stage::Running(live) => {
                let Some(at) = live.iter().position(|one| one.pid == pid) else {
                    return;
                };
                let one = live.remove(at);
                self.journal
                    .say(format_args!("{} ended with exit code {code}", one.name));
                let over = !self.plan.until_stopped && !live.iter().any(|one| one.decides);
                let others_go_on = self.plan.node_count > 1 && !live.is_empty();
                if one.decides && code != 0 {
                    self.end(Verdict::Exited(code), now, around);
                } else if over && others_go_on {
                    self.journal.say("waits until the other nodes have decided");
                    self.stage = Stage::Decided;
                } else if over {
                    self.end(Verdict::Exited(0), now, around);
                }
            }
            Stage::Mounting
            | Stage::Making(_)
            | Stage::Containing
            | Stage::Opening(..)
            | Stage::Preparing(_)
            | Stage::Waiting { .. }
            | Stage::Decided
            | Stage::Ending(_)
            | Stage::Removing(_)
            | Stage::Settling(..)
            | Stage::Flushing(..)
            | Stage::Unmounting(..) => {}
        }
    }
}

impl Stage {
    /// Whether its verdict is known.
    fn is_over(&self) -> bool {
        matches!(
            self,
            Stage::Ending(_)
                | Stage::Removing(_)
                | Stage::Settling(..)
                | Stage::Flushing(..)
                | Stage::Unmounting(..)
        )
    }
}
