//! One attempt of a job on this node, from its directories to the moment when nothing of it is left.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use trainyard_domain::ids::PlacementId;
use trainyard_domain::launch::{LaunchPlan, Process, Remote};
use trainyard_domain::state::{BatchAiError, Verdict};

use crate::cgroup::{Before, Limits};
use crate::fence::Fence;
use crate::journal::Journal;
use crate::place;
use crate::process::{self, NotStarted};
use crate::remote::{Command, Listener};
use crate::verdict::in_view_of;
use crate::view::View;
use crate::volumes::{Tools, Volumes};

/// Hidden folder in the shared directory in which nodes say that they are prepared.
const BARRIER: &str = ".trainyard";
/// First and longest pause between looks at the shared directory; it may be on a network.
const BARRIER_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));
/// First and longest pause between looks for what is left. Children announce their end, so this matters
/// only for processes that are not ours to wait for.
const ENDING_PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// What an attempt needs of its node.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Keeps its processes together.
    pub fence: &'a Fence,
    /// Environment where the plan has none.
    pub environment: &'a Arc<BTreeMap<String, String>>,
    /// Where its files and processes are.
    pub view: &'a Arc<View>,
    /// How much the node may use.
    pub limits: &'a Limits,
}

impl Surroundings<'_> {
    fn tools(&self) -> Tools<'_> {
        Tools {
            view: self.view,
            fence: self.fence,
        }
    }

    fn start(&self, process: &Process, mark: &str) -> Result<Pid, NotStarted> {
        let (process, mark) = (process.clone(), mark.to_owned());
        let environment = Arc::clone(self.environment);
        self.view
            .run(move || process::start(&process, &environment, &mark))
    }

    fn start_with(&self, process: Process, mark: &str, streams: [Stdio; 3]) -> Result<Pid, NotStarted> {
        let mark = mark.to_owned();
        let environment = Arc::clone(self.environment);
        self.view
            .run(move || process::start_with(&process, &environment, &mark, streams))
    }
}

/// A running attempt.
#[derive(Debug)]
pub struct Attempt {
    plan: Arc<LaunchPlan>,
    mark: String,
    journal: Journal,
    deadline: Duration,
    stage: Stage,
    volumes: Volumes,
    /// Takes commands from the attempt's other nodes until its end is near.
    remote: Option<Listener>,
    /// What the kernel had counted before.
    before: Before,
}

#[derive(Debug)]
enum Stage {
    Mounting,
    Preparing(Pid),
    Waiting {
        look_at: Duration,
        pause: Duration,
    },
    Running(Vec<Live>),
    /// What decides has ended with 0; other processes go on until the attempt is stopped.
    Decided,
    Ending(Ending),
    /// Nothing of it runs any more; its volumes are taken away.
    Unmounting(Verdict),
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
    /// Begins with its directory and its volumes. Times are since boot.
    pub fn begin(plan: LaunchPlan, mark: String, now: Duration, around: &Surroundings) -> Attempt {
        let allowed = Duration::from_secs(u64::try_from(plan.max_seconds).unwrap_or(0));
        let mut attempt = Attempt {
            mark,
            journal: Journal::new(Some(&plan.execution_log), around.view),
            deadline: now.saturating_add(allowed),
            stage: Stage::Mounting,
            volumes: Volumes::new(plan.mounts.clone()),
            remote: None,
            before: around.limits.counters().begin(),
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
        self.volumes
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
        match &self.stage {
            Stage::Mounting => self
                .volumes
                .wake_at()
                .map_or(self.deadline, |at| at.min(self.deadline)),
            Stage::Unmounting(_) => self.volumes.wake_at().unwrap_or(self.deadline),
            Stage::Preparing(_) | Stage::Running(_) | Stage::Decided => self.deadline,
            Stage::Waiting { look_at, .. } => self.deadline.min(*look_at),
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
        for &(pid, code) in ended {
            self.note(pid, code, now, around);
            if let Some(remote) = &mut self.remote {
                remote.ended(pid, code);
            }
        }
        if !matches!(self.stage, Stage::Ending(_) | Stage::Unmounting(_)) {
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
        if matches!(self.stage, Stage::Mounting) {
            self.mount(now, around);
        }
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

    /// Takes the directory of the attempt before away and makes this one's. What was there is deleted while this one
    /// runs already.
    fn clear_room(&self, around: &Surroundings) -> Result<(), BatchAiError> {
        let (plan, trash) = (Arc::clone(&self.plan), around.view.trash());
        around.view.run(move || {
            let _ = place::discard(Path::new(&plan.job_directory), &trash);
            place::empty_trash(&trash);
            place::make_all(std::slice::from_ref(&plan.job_directory))
        })
    }

    /// Goes on mounting; then come the other directories and the files, then the first process.
    fn mount(&mut self, now: Duration, around: &Surroundings) {
        let mounted = match self.volumes.mount(now, around.tools()) {
            Poll::Pending => return,
            Poll::Ready(mounted) => mounted,
        };
        match mounted.and_then(|()| self.make_room(around)) {
            Ok(()) => self.start_first(now, around),
            Err(error) => self.refuse(error, now, around),
        }
    }

    fn make_room(&mut self, around: &Surroundings) -> Result<(), BatchAiError> {
        let shared = &self.plan.shared_directory;
        place::make_all(std::slice::from_ref(&shared.source))?;
        let shown = around.view.show(&shared.source, &shared.path);
        shown.map_err(|error| place::mount_failure(&shared.path, &error.to_string()))?;
        let plan = Arc::clone(&self.plan);
        around.view.run(move || {
            place::make_all(&plan.directories)?;
            place::write_all(&plan.files)
        })?;
        self.remote = self.plan.remote.as_ref().map(open_remote).transpose()?;
        self.journal.say(format_args!(
            "attempt {} begins, node {} of {}; {} volumes mounted",
            self.plan.placement,
            self.plan.node_index + 1,
            self.plan.node_count,
            self.volumes.up()
        ));
        Ok(())
    }

    fn start_first(&mut self, now: Duration, around: &Surroundings) {
        let Some(preparation) = self.plan.preparation.clone() else {
            return self.launch(now, around);
        };
        match around.start(&preparation, &self.mark) {
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
            match around.start(wanted, &self.mark) {
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
            Stage::Mounting
            | Stage::Preparing(_)
            | Stage::Waiting { .. }
            | Stage::Decided
            | Stage::Ending(_)
            | Stage::Unmounting(_) => {}
        }
    }

    /// With one node there is nobody to wait for.
    fn prepared(&mut self, now: Duration, around: &Surroundings) {
        if self.plan.node_count <= 1 {
            return self.launch(now, around);
        }
        let (barrier, index) = (self.barrier(), self.plan.node_index);
        let told = around.view.run(move || {
            fs::create_dir_all(&barrier)?;
            place::open_to_append(&barrier_file(&barrier, index)).map(drop)
        });
        match told {
            Ok(()) => {
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
        let (barrier, count) = (self.barrier(), self.plan.node_count);
        let all = move || (0..count).all(|index| barrier_file(&barrier, index).exists());
        if around.view.run(all) {
            self.journal.say("all nodes are prepared");
            return self.launch(now, around);
        }
        self.stage = Stage::Waiting {
            look_at: now + pause,
            pause: (pause * 2).min(BARRIER_PAUSES.1),
        };
    }

    fn barrier(&self) -> PathBuf {
        Path::new(&self.plan.shared_directory.path).join(BARRIER)
    }

    /// It cannot run here.
    fn refuse(&mut self, error: BatchAiError, now: Duration, around: &Surroundings) {
        self.journal
            .say(format_args!("{}: {}", error.code, error.message));
        self.end(Verdict::NotStarted(error, Some(-1)), now, around);
    }

    fn end_not_started(&mut self, why: NotStarted, now: Duration, around: &Surroundings) {
        self.journal.say(&why.error.message);
        self.end(Verdict::NotStarted(why.error, Some(why.exit_code)), now, around);
    }

    /// The verdict is known; what still runs is asked to end.
    fn end(&mut self, verdict: Verdict, now: Duration, around: &Surroundings) {
        self.remote = None;
        self.volumes.give_up(now);
        around.fence.signal(&self.mark, Signal::TERM);
        self.stage = Stage::Ending(Ending {
            verdict,
            kill_at: now + Duration::from_secs(u64::from(self.plan.grace_seconds)),
            look_at: now,
            pause: ENDING_PAUSES.0,
        });
    }

    fn conclude(&mut self, now: Duration, around: &Surroundings) -> Option<Verdict> {
        if let Stage::Ending(ending) = &mut self.stage {
            let left = around.fence.members(&self.mark);
            if !left.is_empty() {
                ending.wait_for(left.len(), now, &self.journal, || around.fence.kill(&self.mark));
                return None;
            }
            let verdict = ending.verdict.clone();
            let verdict = in_view_of(around.limits, &mut self.before, verdict, &self.journal);
            self.journal.say(format_args!("over: {}", in_words(&verdict)));
            self.stage = Stage::Unmounting(verdict);
        }
        // A later job on this node no longer sees this one's volumes (behaviour.md section 5).
        let Stage::Unmounting(verdict) = &self.stage else {
            return None;
        };
        let verdict = verdict.clone();
        if self.volumes.unmount(now, around.tools()).is_pending() {
            return None;
        }
        let shared = &self.plan.shared_directory;
        around.view.hide(&shared.source, &shared.path);
        Some(verdict)
    }

    fn say_started(&self, name: &str, pid: Pid) {
        self.journal
            .say(format_args!("{name} started, process {}", pid.as_raw_pid()));
    }
}

fn barrier_file(barrier: &Path, index: u32) -> PathBuf {
    barrier.join(format!("prepared-{index}"))
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
    let name = wanted.name.clone();
    let started = around.start_with(wanted, mark, command.streams.map(Stdio::from));
    match &started {
        Ok(pid) => journal.say(format_args!("{name} started, process {}", pid.as_raw_pid())),
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
        Verdict::OutOfMemory(cut, _) => format!("{}, for want of memory", in_words(&cut.verdict())),
    }
}
