//! One attempt of a job on this node, from its directories to the moment when nothing of it is left.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use trainyard_domain::ids::PlacementId;
use trainyard_domain::launch::{Asked, LaunchPlan, Process, exit_code_of};
use trainyard_domain::state::{BatchAiError, Verdict};

use crate::caps::{Caps, Found};
use crate::cgroup::{Before, Limits};
use crate::commands::{open_remote, start_command};
use crate::container::{Contained, Site};
use crate::fence::Fence;
use crate::journal::Journal;
use crate::machine::is_stuck;
use crate::mountinfo::Mounted;
use crate::place;
use crate::process::{self, NotStarted, Prepared};
use crate::remote::Listener;
use crate::verdict::in_view_of;
use crate::view::{Doing, View};
use crate::volume::flush::Flush;
use crate::volume::keep::Keep;
use crate::volumes::{Tools, Volumes};

/// Hidden folder in the shared directory in which nodes say that they are prepared.
const BARRIER: &str = ".trainyard";
/// First and longest pause between looks at the shared directory; it may be on a network.
const BARRIER_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));
/// First and longest pause between looks for what is left. Children announce their end, so this matters
/// only for processes that are not ours to wait for.
const ENDING_PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(200));

/// Longest time between SIGTERM and SIGKILL for a job that writes too much: it may go on writing meanwhile.
const OVER_LIMIT_GRACE: Duration = Duration::from_secs(2);

/// How long the node waits for what volumes take long for, before it turns to other things meanwhile.
const MOMENT: Duration = Duration::from_millis(20);
/// How long a command of another node may take to be found, in a PATH that leads over volumes.
const FIND_WITHIN: Duration = Duration::from_secs(2);
/// When the node's log says what an attempt waits for.
const SAY_AFTER: Duration = Duration::from_secs(10);
/// How long the execution log's volume may take to write it.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);
/// How long after SIGKILL volumes are taken from processes that cannot end for them.
const FORCE_AFTER: Duration = Duration::from_secs(5);

/// What an attempt needs of its node.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Keeps its processes together.
    pub fence: &'a Fence,
    /// Environment where the plan has none.
    pub environment: &'a Arc<BTreeMap<String, String>>,
    /// Where its files and processes are.
    pub view: &'a Arc<View>,
    /// The node's own folder.
    pub folder: &'a Path,
    /// Where its container is.
    pub site: &'a Site,
    /// What is mounted on the node by programs.
    pub keep: &'a RefCell<Keep>,
    /// How much the node may use.
    pub limits: &'a Limits,
}

impl Surroundings<'_> {
    fn tools(&self) -> Tools<'_> {
        Tools {
            view: self.view,
            fence: self.fence,
            keep: self.keep,
        }
    }

    /// Starts a process with these streams, which finds the programs of the directory `tools` before others.
    pub fn start_with(
        &self,
        process: Process,
        tools: Option<&str>,
        mark: &str,
        streams: [Stdio; 3],
    ) -> Result<Pid, NotStarted> {
        let environment = Arc::clone(self.environment);
        let process = with_tools(process, tools, &environment);
        let late = process::refused(&process, "a volume in its PATH does not answer");
        let prepared = self.view.within(FIND_WITHIN, move || {
            process::prepare_with(&process, &environment, streams)
        });
        let (prepared, mark) = (prepared.unwrap_or(Err(late))?, mark.to_owned());
        self.view.run(move || prepared.start(&mark))
    }
}

/// A process that finds the programs of the directory `tools` before others of their names.
fn with_tools(mut process: Process, tools: Option<&str>, environment: &BTreeMap<String, String>) -> Process {
    if let Some(tools) = tools {
        let own = process.environment.get("PATH");
        let path = own.or_else(|| environment.get("PATH"));
        let path = path.map_or_else(|| tools.to_owned(), |path| format!("{tools}:{path}"));
        process.environment.insert("PATH".to_owned(), path);
    }
    process
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

#[derive(Debug)]
struct Ending {
    verdict: Verdict,
    kill_at: Duration,
    look_at: Duration,
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

    /// A process that fails since it may write no more has failed for that reason.
    fn judged(&mut self, verdict: Verdict, now: Duration) -> Verdict {
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
        for note in self.volumes.notes() {
            self.journal.say(note);
        }
        match mounted.and_then(|()| self.make_room(around)) {
            Ok(Ok(made)) => self.made(made, now, around),
            Ok(Err(doing)) => {
                self.stage = Stage::Making(doing);
                self.waits_since = Some(now);
            }
            Err(error) => self.refuse(error, now, around),
        }
    }

    /// Its directories and files are there.
    fn made(&mut self, made: Made, now: Duration, around: &Surroundings) {
        self.waits_since = None;
        let remote = |attempt: &Attempt| attempt.plan.remote.as_ref().map(open_remote).transpose();
        match made.and_then(|found| Ok((found, remote(self)?))) {
            Ok((found, remote)) => {
                self.remote = remote;
                self.caps = Some(Caps::new(&self.plan, found, around.view, around.folder, now));
                self.journal.say(format_args!(
                    "attempt {} begins, node {} of {}; {} volumes mounted",
                    self.plan.placement,
                    self.plan.node_index + 1,
                    self.plan.node_count,
                    self.volumes.up()
                ));
                self.contain(now, around);
            }
            Err(error) => self.refuse(error, now, around),
        }
    }

    /// The node's log tells of a volume that takes long, since the execution log may lie on it.
    fn say_what_it_waits_for(&mut self, now: Duration) {
        if self.waits_since.is_none_or(|since| now < since + SAY_AFTER) {
            return;
        }
        self.waits_since = None;
        let paths: Vec<&str> = self.plan.directories.iter().map(String::as_str).collect();
        crate::say(format_args!(
            "attempt {} waits for its volumes: {} can neither be made nor written so far",
            self.plan.placement,
            paths.join(", ")
        ));
    }

    /// Somebody wants an end that is near already: volumes are waited for less long.
    fn hurry(&mut self, now: Duration) {
        if let Stage::Flushing(_, flush) = &mut self.stage {
            flush.hurry(now);
        }
        if let Stage::Settling(_, until) = &mut self.stage {
            *until = now;
        }
    }

    /// Goes on with the container, if it has one; then comes the first process.
    fn contain(&mut self, now: Duration, around: &Surroundings) {
        if !matches!(self.stage, Stage::Containing) {
            let wanted = self.plan.container.as_ref();
            self.container = wanted.map(|container| {
                Contained::new(container, &self.plan, &self.mark, around.site, around.environment)
            });
            self.stage = Stage::Containing;
        }
        let started = match &mut self.container {
            None => Poll::Ready(Ok(())),
            Some(container) => container.start(now, around.fence, &self.journal),
        };
        match started {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.start_first(now, around),
            Poll::Ready(Err(error)) => self.refuse(error, now, around),
        }
    }

    /// Begins to make its directories and files; they may be made already.
    fn make_room(&mut self, around: &Surroundings) -> Result<Result<Made, Doing<Made>>, BatchAiError> {
        let shared = &self.plan.shared_directory;
        place::make_all(std::slice::from_ref(&shared.source))?;
        let shown = around.view.show(&shared.source, &shared.path);
        shown.map_err(|error| Asked::Unsaid.failure(&shared.path, error))?;
        let plan = Arc::clone(&self.plan);
        Ok(around.view.within(MOMENT, move || {
            place::make_all(&plan.directories)?;
            place::write_all(&plan.files)?;
            Ok(Found::of(&plan))
        }))
    }

    fn start_first(&mut self, now: Duration, around: &Surroundings) {
        let next = match self.plan.preparation {
            Some(_) => Next::Preparation,
            None => Next::Processes,
        };
        self.open(next, now, around);
    }

    /// Begins to open what these processes need.
    fn open(&mut self, next: Next, now: Duration, around: &Surroundings) {
        let wanted = match next {
            Next::Preparation => self.plan.preparation.as_slice(),
            Next::Processes => &self.plan.processes,
        };
        let tools = self.plan.remote.as_ref().and_then(|remote| remote.tools.clone());
        let environment = Arc::clone(around.environment);
        let clients = self.container.as_mut().map(|container| {
            let clients = wanted
                .iter()
                .map(|process| container.wrap(process, tools.as_deref()));
            clients.collect::<Result<Vec<_>, _>>()
        });
        let clients = match clients.transpose() {
            Ok(clients) => clients,
            Err(why) => return self.end_not_started(why, now, around),
        };
        let contained = clients.is_some();
        let wanted = clients.unwrap_or_else(|| wanted.to_vec());
        let opened = around.view.within(MOMENT, move || {
            let open = |process: Process| match contained {
                true => process::prepare_with(&process, &BTreeMap::new(), process::streams(&process)?),
                false => process::prepare(&with_tools(process, tools.as_deref(), &environment), &environment),
            };
            wanted.into_iter().map(open).collect()
        });
        match opened {
            Ok(opened) => self.opened(opened, next, now, around),
            Err(doing) => {
                self.stage = Stage::Opening(doing, next);
                self.waits_since = Some(now);
            }
        }
    }

    fn opened(
        &mut self,
        opened: Result<Vec<Prepared>, NotStarted>,
        next: Next,
        now: Duration,
        around: &Surroundings,
    ) {
        self.waits_since = None;
        match (opened, next) {
            (Err(why), _) => self.end_not_started(why, now, around),
            (Ok(prepared), Next::Processes) => self.launch(prepared, now, around),
            (Ok(prepared), Next::Preparation) => match self.start_all(prepared, around) {
                (started, Some(why)) => {
                    drop(started);
                    self.end_not_started(why, now, around);
                }
                (started, None) => match started.first() {
                    Some(first) => self.stage = Stage::Preparing(first.pid),
                    None => self.open(Next::Processes, now, around),
                },
            },
        }
    }

    /// Starts them, until one cannot be started. What starts processes in a container has the node's own rights.
    fn start_all(&self, prepared: Vec<Prepared>, around: &Surroundings) -> (Vec<Live>, Option<NotStarted>) {
        let mut live = Vec::new();
        for one in prepared {
            let (name, decides) = (one.name().to_owned(), one.decides());
            let mark = self.mark.clone();
            let started = match self.container {
                Some(_) => one.start(&mark),
                None => around.view.run(move || one.start(&mark)),
            };
            match started {
                Ok(pid) => {
                    self.say_started(&name, pid);
                    live.push(Live { pid, name, decides });
                }
                Err(why) => return (live, Some(why)),
            }
        }
        (live, None)
    }

    fn launch(&mut self, prepared: Vec<Prepared>, now: Duration, around: &Surroundings) {
        let (live, failed) = self.start_all(prepared, around);
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

    /// With one node there is nobody to wait for.
    fn prepared(&mut self, now: Duration, around: &Surroundings) {
        if self.plan.node_count <= 1 {
            return self.open(Next::Processes, now, around);
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
            return self.open(Next::Processes, now, around);
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
        self.journal.say(describe(&error));
        let exit_code = exit_code_of(&error);
        self.end(Verdict::NotStarted(error, Some(exit_code)), now, around);
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

    fn conclude(&mut self, now: Duration, around: &Surroundings) -> Option<Verdict> {
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
        Some(verdict)
    }

    /// Processes that wait for a volume cannot even be killed. It is taken from them: first the job's own, then all of
    /// the node's, which are mounted anew before another attempt.
    fn force(&mut self, left: &[Pid], now: Duration, around: &Surroundings) {
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

    fn say_started(&self, name: &str, pid: Pid) {
        self.journal
            .say(format_args!("{name} started, process {}", pid.as_raw_pid()));
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

fn barrier_file(barrier: &Path, index: u32) -> PathBuf {
    barrier.join(format!("prepared-{index}"))
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
