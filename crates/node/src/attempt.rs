//! One attempt of a job on this node, from its directories to the moment when nothing of it is left.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use trainyard_domain::ids::PlacementId;
use trainyard_domain::launch::{LaunchPlan, Mount, Process, Remote};
use trainyard_domain::state::{BatchAiError, Verdict};

use crate::caps::Caps;
use crate::fence::Fence;
use crate::journal::Journal;
use crate::place;
use crate::process::{self, NotStarted};
use crate::remote::{Command, Listener};

/// Hidden folder in the shared directory in which nodes say that they are prepared.
const BARRIER: &str = ".trainyard";
/// First and longest pause between looks at the shared directory; it may be on a network.
const BARRIER_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));
/// First and longest pause between looks for what is left. Children announce their end, so this matters
/// only for processes that are not ours to wait for.
const ENDING_PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// Longest time between SIGTERM and SIGKILL for a job that writes too much: it may go on writing meanwhile.
const OVER_LIMIT_GRACE: Duration = Duration::from_secs(2);

/// What an attempt needs of its node.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Keeps its processes together.
    pub fence: &'a Fence,
    /// Environment where the plan has none.
    pub environment: &'a BTreeMap<String, String>,
    /// Where old directories go.
    pub trash: &'a Path,
}

/// A running attempt.
#[derive(Debug)]
pub struct Attempt {
    plan: LaunchPlan,
    mark: String,
    journal: Journal,
    deadline: Duration,
    stage: Stage,
    /// Takes commands from the attempt's other nodes until its end is near.
    remote: Option<Listener>,
    /// Watches how much it writes, once its directories are there.
    caps: Option<Caps>,
}

#[derive(Debug)]
enum Stage {
    Preparing(Pid),
    Waiting {
        look_at: Duration,
        pause: Duration,
    },
    Running(Vec<Live>),
    /// What decides has ended with 0; other processes go on until the attempt is stopped.
    Decided,
    Ending(Ending),
}

#[derive(Debug)]
struct Live {
    pid: Pid,
    name: String,
    decides: bool,
}

#[derive(Debug)]
struct Ending {
    verdict: Verdict,
    kill_at: Duration,
    look_at: Duration,
    pause: Duration,
}

impl Attempt {
    /// Makes its directories and starts its preparation or its processes. Times are since boot.
    pub fn begin(plan: LaunchPlan, mark: String, now: Duration, around: &Surroundings) -> Attempt {
        let journal = Journal::new(Some(&plan.execution_log)).at_most(plan.caps.execution_log);
        let allowed = Duration::from_secs(u64::try_from(plan.max_seconds).unwrap_or(0));
        let mut attempt = Attempt {
            mark,
            journal,
            deadline: now.saturating_add(allowed),
            stage: Stage::Running(Vec::new()),
            remote: None,
            caps: None,
            plan,
        };
        match attempt.make_room(around) {
            Ok(()) => {
                attempt.watch(now, around);
                attempt.start_first(now, around);
            }
            Err(error) => {
                attempt
                    .journal
                    .say(format_args!("{}: {}", error.code, error.message));
                attempt.end(Verdict::NotStarted(error, Some(-1)), now, around);
            }
        }
        // What the job before left is deleted while this one runs already.
        place::empty_trash(around.trash);
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

    /// Whether what decides has ended with 0, while the rest goes on.
    pub fn is_decided(&self) -> bool {
        matches!(self.stage, Stage::Decided)
    }

    /// What to wait for beside signals: commands from other nodes, once this one has started its own processes.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let remote = self.remote.as_ref().filter(|_| self.takes_commands());
        remote.into_iter().flat_map(Listener::descriptors)
    }

    /// When to call [`Attempt::step`] again, if nothing happens before.
    pub fn wake_at(&self) -> Duration {
        let next = self.caps.as_ref().map_or(self.deadline, Caps::next_look);
        let deadline = self.deadline.min(next);
        match &self.stage {
            Stage::Preparing(_) | Stage::Running(_) | Stage::Decided => deadline,
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
        for &(pid, code) in ended {
            self.note(pid, code, now, around);
            if let Some(remote) = &mut self.remote {
                remote.ended(pid, code);
            }
        }
        if !matches!(self.stage, Stage::Ending(_)) {
            // What has decided stays so, whatever ends the rest.
            let decided = self.is_decided().then_some(Verdict::Exited(0));
            if stop {
                self.journal.say("a stop is wanted");
                self.end(decided.unwrap_or(Verdict::Stopped), now, around);
            } else if now >= self.deadline {
                self.journal.say("the longest time allowed is over");
                self.end(decided.unwrap_or(Verdict::TimedOut), now, around);
            }
        }
        self.look_at_caps(now, around);
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

    fn watch(&mut self, now: Duration, around: &Surroundings) {
        let folder = around.trash.parent().unwrap_or(around.trash);
        self.caps = Some(Caps::new(&self.plan, folder, now));
    }

    /// Ends the attempt if it writes more than it may. What has decided ends well all the same.
    fn look_at_caps(&mut self, now: Duration, around: &Surroundings) {
        if matches!(self.stage, Stage::Ending(_)) {
            return;
        }
        let due = self.caps.as_mut().filter(|caps| now >= caps.next_look());
        if let Some(error) = due.and_then(|caps| caps.look(now)) {
            self.journal.say(format_args!("{}: {}", error.code, error.message));
            let decided = self.is_decided().then_some(Verdict::Exited(0));
            self.end(decided.unwrap_or(Verdict::OverLimit(error, None)), now, around);
        }
    }

    /// A process that fails since it may write no more has failed for that reason.
    fn judged(&mut self, verdict: Verdict, now: Duration) -> Verdict {
        let code = match &verdict {
            Verdict::Exited(0) => return verdict,
            Verdict::Exited(code) | Verdict::PreparationFailed(code) => *code,
            _ => return verdict,
        };
        match self.caps.as_mut().and_then(|caps| caps.last_look(now)) {
            Some(error) => {
                self.journal.say(format_args!("{}: {}", error.code, error.message));
                Verdict::OverLimit(error, Some(code))
            }
            None => verdict,
        }
    }

    fn takes_commands(&self) -> bool {
        matches!(self.stage, Stage::Running(_) | Stage::Decided)
    }

    /// Starts what other nodes want started here.
    fn take_commands(&mut self, around: &Surroundings) {
        let (Some(listener), Some(remote)) = (&mut self.remote, &self.plan.remote) else {
            return;
        };
        let (journal, mark) = (&self.journal, &self.mark);
        listener.step(|command| start_command(command, remote, around, mark, journal));
    }

    fn make_room(&mut self, around: &Surroundings) -> Result<(), BatchAiError> {
        let plan = &self.plan;
        let _ = place::discard(Path::new(&plan.job_directory), around.trash);
        place::make_all(std::slice::from_ref(&plan.job_directory))?;
        place::mount_all(&plan.mounts)?;
        place::share(&plan.shared_directory)?;
        place::make_all(&plan.directories)?;
        place::write_all(&plan.files)?;
        self.remote = plan.remote.as_ref().map(open_remote).transpose()?;
        self.journal.say(format_args!(
            "attempt {} begins, node {} of {}; {} volumes mounted",
            plan.placement,
            plan.node_index + 1,
            plan.node_count,
            plan.mounts.len()
        ));
        Ok(())
    }

    fn start_first(&mut self, now: Duration, around: &Surroundings) {
        let Some(preparation) = self.plan.preparation.clone() else {
            return self.launch(now, around);
        };
        match process::start(&preparation, around.environment, &self.mark) {
            Ok(pid) => {
                self.say_started(&preparation.name, pid);
                self.stage = Stage::Preparing(pid);
            }
            Err(why) => self.end_not_started(why, now, around),
        }
    }

    fn launch(&mut self, now: Duration, around: &Surroundings) {
        let mut live = Vec::new();
        let mut failed = None;
        for wanted in &self.plan.processes {
            match process::start(wanted, around.environment, &self.mark) {
                Ok(pid) => {
                    self.say_started(&wanted.name, pid);
                    live.push(Live {
                        pid,
                        name: wanted.name.clone(),
                        decides: wanted.decides,
                    });
                }
                Err(why) => {
                    failed = Some(why);
                    break;
                }
            }
        }
        let nothing_to_do = live.is_empty() && !self.plan.until_stopped;
        self.stage = Stage::Running(live);
        match failed {
            Some(why) => self.end_not_started(why, now, around),
            None if nothing_to_do => self.end(Verdict::Exited(0), now, around),
            None => {}
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
            Stage::Preparing(_) | Stage::Waiting { .. } | Stage::Decided | Stage::Ending(_) => {}
        }
    }

    /// With one node there is nobody to wait for.
    fn prepared(&mut self, now: Duration, around: &Surroundings) {
        if self.plan.node_count <= 1 {
            return self.launch(now, around);
        }
        let told = fs::create_dir_all(self.barrier())
            .and_then(|()| place::open_to_append(&self.barrier_file(self.plan.node_index)));
        match told {
            Ok(_) => {
                self.journal.say("waits until all nodes are prepared");
                self.look_at_barrier(now, BARRIER_PAUSES.0, around);
            }
            Err(error) => {
                let message = "The nodes' shared job directory cannot be written. Check its volume.";
                let mut failure = BatchAiError::new(place::ENVIRONMENT_FAILED, message);
                failure.details.push(("Info".to_owned(), error.to_string()));
                self.end(Verdict::NotStarted(failure, Some(-1)), now, around);
            }
        }
    }

    fn look_at_barrier(&mut self, now: Duration, pause: Duration, around: &Surroundings) {
        if (0..self.plan.node_count).all(|index| self.barrier_file(index).exists()) {
            self.journal.say("all nodes are prepared");
            return self.launch(now, around);
        }
        self.stage = Stage::Waiting {
            look_at: now + pause,
            pause: (pause * 2).min(BARRIER_PAUSES.1),
        };
    }

    fn barrier(&self) -> PathBuf {
        Path::new(&self.plan.shared_directory.source).join(BARRIER)
    }

    fn barrier_file(&self, index: u32) -> PathBuf {
        self.barrier().join(format!("prepared-{index}"))
    }

    fn end_not_started(&mut self, why: NotStarted, now: Duration, around: &Surroundings) {
        self.journal.say(&why.error.message);
        self.end(Verdict::NotStarted(why.error, Some(why.exit_code)), now, around);
    }

    /// The verdict is known; what still runs is asked to end.
    fn end(&mut self, verdict: Verdict, now: Duration, around: &Surroundings) {
        let verdict = self.judged(verdict, now);
        let mut grace = Duration::from_secs(u64::from(self.plan.grace_seconds));
        if matches!(verdict, Verdict::OverLimit(..)) {
            grace = grace.min(OVER_LIMIT_GRACE);
        }
        self.remote = None;
        around.fence.signal(&self.mark, Signal::TERM);
        self.stage = Stage::Ending(Ending {
            verdict,
            kill_at: now + grace,
            look_at: now,
            pause: ENDING_PAUSES.0,
        });
    }

    fn conclude(&mut self, now: Duration, around: &Surroundings) -> Option<Verdict> {
        let Stage::Ending(ending) = &mut self.stage else {
            return None;
        };
        let left = around.fence.members(&self.mark);
        if left.is_empty() {
            let verdict = ending.verdict.clone();
            self.journal.say(format_args!("over: {}", in_words(&verdict)));
            self.unmount();
            return Some(verdict);
        }
        if now >= ending.kill_at {
            self.journal
                .say(format_args!("{} processes are left and are killed", left.len()));
            around.fence.kill(&self.mark);
        }
        let next = now + ending.pause;
        ending.look_at = if now < ending.kill_at {
            next.min(ending.kill_at)
        } else {
            next
        };
        ending.pause = (ending.pause * 2).min(ENDING_PAUSES.1);
        None
    }

    /// A later job on this node no longer sees this one's volumes (behaviour.md section 5).
    fn unmount(&self) {
        let mounts: &[Mount] = &self.plan.mounts;
        place::unmount_all(mounts);
    }

    fn say_started(&self, name: &str, pid: Pid) {
        self.journal
            .say(format_args!("{name} started, process {}", pid.as_raw_pid()));
    }
}

fn open_remote(remote: &Remote) -> Result<Listener, BatchAiError> {
    Listener::open(Path::new(&remote.socket)).map_err(|error| {
        let message = "The socket of the node in the shared job directory cannot be made. Check its volume.";
        let mut failure = BatchAiError::new(place::ENVIRONMENT_FAILED, message);
        failure.details.push(("Info".to_owned(), error.to_string()));
        failure
    })
}

/// Starts a command that another node of the attempt sends.
fn start_command(
    command: Command,
    remote: &Remote,
    around: &Surroundings,
    mark: &str,
    journal: &Journal,
) -> Result<Pid, NotStarted> {
    let wanted = Process {
        name: "command of another node".to_owned(),
        arguments: ["bash", "-c", &command.line].map(str::to_owned).to_vec(),
        environment: remote.environment.clone(),
        directory: remote.directory.clone(),
        stdout: String::new(),
        stderr: String::new(),
        decides: false,
    };
    let started = process::start_with(
        &wanted,
        around.environment,
        mark,
        command.streams.map(Stdio::from),
    );
    match &started {
        Ok(pid) => journal.say(format_args!(
            "{} started, process {}",
            wanted.name,
            pid.as_raw_pid()
        )),
        Err(why) => journal.say(&why.error.message),
    }
    started
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Exited(code) => format!("exit code {code}"),
        Verdict::PreparationFailed(code) => format!("job preparation failed with exit code {code}"),
        Verdict::TimedOut => "stopped after the longest time allowed".to_owned(),
        Verdict::Stopped => "stopped as wanted".to_owned(),
        Verdict::NotStarted(error, _) => format!("not started, {}", error.code),
        Verdict::OverLimit(error, _) => format!("over its limit, {}", error.code),
    }
}
