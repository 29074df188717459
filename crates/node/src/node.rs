//! The node process: it looks at its folder, does what is wanted, writes down what became of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::process::{Pid, getpid, set_child_subreaper, setsid, umask};
use trainyard_domain::ids::PlacementId;
use trainyard_domain::launch::{Process, exit_code_of};
use trainyard_domain::state::{BatchAiError, Verdict};

use crate::alive::Alive;
use crate::attempt::{Attempt, Surroundings, describe};
use crate::cgroup::{self, Cgroup, Limits};
use crate::container::Site;
use crate::fence::{Fence, mark};
use crate::files::{self, FileError, Folder, NodeFile, Phase, PlacementStatus, StatusFile, WantedFile};
use crate::isolation::{Entered, enter, in_words};
use crate::journal::Journal;
use crate::login::{self, Sessions};
use crate::look::{OpenFolder, drain};
use crate::machine::{Identity, boot_id, own_stat, since_boot};
use crate::process::{NotStarted, Prepared};
use crate::signals::Signals;
use crate::sweep::sweep;
use crate::view::{Doing, View};
use crate::volume::keep::Keep;
use crate::volumes::{Tools, Volumes};
use crate::wanted::{Wish, scan};
use crate::{descriptors, environment, place, process};

/// Code for a setup task that failed.
pub const SETUP_TASK_FAILED: &str = "SetupTaskFailed";

/// How often a node looks without being told: whether its folder is still there, and for a lost "look".
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// When a status that could not be written is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// When a status is written that nobody waits for: that an attempt has begun, or that one is forgotten. A
/// short job ends before that, and the status is written once for it.
const WRITE_SOON: Duration = Duration::from_millis(50);
/// When an engine whose socket was full is told again.
const TELL_AGAIN: Duration = Duration::from_millis(20);
/// How long a node that is being set up waits for its execution log to be written.
const SETTLE_WITHIN: Duration = Duration::from_secs(1);
/// Time between SIGTERM and SIGKILL for a node that leaves.
const LEAVE_GRACE: Duration = Duration::from_secs(2);
/// Attempts that are over and forgotten: a plan of theirs that comes late is not run again, and a server that was
/// set back to a time before their end is told that end once more.
const REMEMBERED: usize = 1024;

/// Why a node cannot start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// `node.json` cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A node ran here before.
    #[error("a node has been started in {0} before; a node is never started again, make a new one")]
    StartedBefore(PathBuf),
    /// The process that is the node inside its namespaces has ended badly.
    #[error("the node has ended with {0}")]
    Inner(String),
    /// The system refused something that a node needs.
    #[error("the node in {folder} cannot {what}")]
    System {
        /// The node's folder.
        folder: PathBuf,
        /// What was refused.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Is the node in `folder` until it is to leave, by its `leave` file, by SIGTERM, or because its folder is
/// gone. Everything that it ran has ended then. Call it at the start of a process, before any thread: the
/// whole process becomes the node, with a session of its own.
pub fn run(folder: &Path) -> Result<(), NodeError> {
    let system = |what| {
        move |source: io::Error| NodeError::System {
            folder: folder.to_owned(),
            what,
            source,
        }
    };
    descriptors::shed().map_err(system("close foreign descriptors"))?;
    let root = fs::canonicalize(folder).map_err(system("find its folder"))?;
    let folder = Folder::new(root);
    let file: NodeFile = files::read(&folder.node())?;
    if folder.status().exists() {
        return Err(NodeError::StartedBefore(folder.root().to_owned()));
    }
    // Fails only for the leader of a process group, which a shell's job is: then it has one of its own.
    let _ = setsid();
    umask(Mode::from_raw_mode(0o022));
    let identity = match &file.isolation {
        None => own_stat().map_err(system("find itself in /proc"))?,
        Some(isolation) => match enter(isolation, &folder, &file.plan).map_err(system("be isolated"))? {
            Entered::Inner(identity) => identity,
            Entered::Outer(status) if status.success() => return Ok(()),
            Entered::Outer(status) => return Err(NodeError::Inner(in_words(status))),
        },
    };
    set_child_subreaper(Some(getpid())).map_err(|e| system("adopt orphans")(e.into()))?;
    let signals = Signals::listen().map_err(system("listen for signals"))?;
    let own = OpenFolder::open(folder.root()).map_err(system("open its folder"))?;
    let socket = own.bind().map_err(system("make its socket"))?;
    let engine = folder.root().parent().and_then(|all| OpenFolder::open(all).ok());
    let view = match &file.isolation {
        None => View::plain(folder.view()).map_err(system("make threads"))?,
        Some(isolation) => {
            View::isolated(isolation, folder.root()).map_err(system("make what its jobs see"))?
        }
    };
    Node::new(folder, file, identity, view, signals, socket, engine).live();
    Ok(())
}

/// How far the setup is.
#[derive(Debug)]
enum Setup {
    /// The cluster's volumes are being mounted.
    Mounting(Volumes, Journal),
    /// Directories are made and the setup task is prepared: that may be on volumes.
    Making(Volumes, Journal, Doing<Made>),
    /// The setup task runs.
    Running(Volumes, Journal, Pid),
    /// It is over, well or not.
    Over(Volumes),
    /// Volumes that have died are being mounted anew; no attempt begins meanwhile.
    Renewing(Volumes),
}

/// What the setup task needs, if there is one; or why it cannot run.
type Made = Result<Option<Result<Prepared, NotStarted>>, BatchAiError>;

impl Setup {
    fn wake_at(&self) -> Option<Duration> {
        match self {
            Setup::Mounting(volumes, _)
            | Setup::Making(volumes, ..)
            | Setup::Running(volumes, ..)
            | Setup::Over(volumes)
            | Setup::Renewing(volumes) => volumes.wake_at(),
        }
    }

    fn into_volumes(self) -> Volumes {
        match self {
            Setup::Mounting(volumes, journal)
            | Setup::Making(volumes, journal, _)
            | Setup::Running(volumes, journal, _) => {
                journal.close();
                volumes
            }
            Setup::Over(volumes) | Setup::Renewing(volumes) => volumes,
        }
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup::Over(Volumes::default())
    }
}

struct Node {
    folder: Folder,
    file: NodeFile,
    environment: Arc<BTreeMap<String, String>>,
    view: Arc<View>,
    site: Site,
    keep: RefCell<Keep>,
    signals: Signals,
    socket: UnixDatagram,
    engine: Option<OpenFolder>,
    cgroup: Option<Cgroup>,
    limits: Limits,
    fence: Fence,
    status: StatusFile,
    /// When the status is to be written; `None` when the file says what is so.
    write_at: Option<Duration>,
    tell_at: Option<Duration>,
    setup: Setup,
    attempt: Option<Attempt>,
    /// What people who are logged in run here.
    sessions: Option<Sessions>,
    /// What the last job left, and when it goes if no other job comes before.
    last_directory: Option<(PathBuf, Option<Duration>)>,
    wishes: BTreeMap<PlacementId, Wish>,
    forgotten: VecDeque<(PlacementId, Verdict)>,
    alive: Alive,
}

impl Node {
    fn new(
        folder: Folder,
        file: NodeFile,
        identity: Identity,
        view: View,
        signals: Signals,
        socket: UnixDatagram,
        engine: Option<OpenFolder>,
    ) -> Node {
        let mut environment = environment::defaults();
        environment.extend(file.environment.clone());
        let account = file
            .isolation
            .as_ref()
            .and_then(|isolation| isolation.account.as_ref());
        environment.extend(account.map(environment::of).into_iter().flatten());
        let cgroup = file.cgroups.then(|| Cgroup::enter(folder.root())).flatten();
        let asked = file.plan.limits.as_ref();
        let limits = Limits::enter(folder.root(), asked, cgroup.as_ref(), |line| crate::say(line));
        let view = Arc::new(view);
        let owner = account.map(|account| (account.uid, account.gid));
        let keep = Keep::new(
            folder.volumes(),
            environment.clone(),
            file.mount_commands.clone(),
            owner,
        );
        let journal = Journal::new(file.plan.execution_log.as_deref(), &view);
        let setup = Setup::Mounting(Volumes::new(file.plan.mounts.clone()), journal);
        let status = StatusFile {
            node: file.plan.uid,
            pid: identity.pid,
            start_time: identity.start_time,
            boot_id: boot_id(),
            cgroup: cgroup.as_ref().map(|c| c.home().to_owned()),
            phase: Phase::Preparing,
            placements: Vec::new(),
        };
        let fence = Fence::Descent {
            setup: mark(folder.root(), "setup"),
        };
        let alive = Alive::new(&folder);
        let sessions = Sessions::open(&folder)
            .inspect_err(|error| crate::say(format_args!("nobody can log in here: {error}")));
        let site = Site {
            folder: folder.root().to_owned(),
            settings: file.containers.clone(),
            gpus: file.plan.gpus.clone(),
            mounts: file.plan.mounts.clone(),
            root: match &file.isolation {
                Some(isolation) => isolation.root.clone(),
                None => folder.view(),
            },
            isolated: file.isolation.is_some(),
        };
        Node {
            site,
            folder,
            file,
            environment: Arc::new(environment),
            view,
            keep: RefCell::new(keep),
            signals,
            socket,
            engine,
            cgroup,
            limits,
            fence,
            status,
            write_at: Some(Duration::ZERO),
            tell_at: None,
            setup,
            attempt: None,
            sessions: sessions.ok(),
            last_directory: None,
            wishes: BTreeMap::new(),
            forgotten: VecDeque::new(),
            alive,
        }
    }

    fn live(mut self) {
        self.publish(since_boot());
        self.step_setup(&[], since_boot());
        while !self.must_leave() {
            let now = since_boot();
            self.wishes = scan(&self.folder);
            // After the look at what is wanted: whatever died before something was wanted is known to be dead.
            let ended = process::reap();
            self.keep.get_mut().hear(&ended);
            self.step_setup(&ended, now);
            self.step_attempt(&ended, now);
            if self.attempt.as_ref().is_some_and(Attempt::is_ending) {
                self.alive.show(now);
            }
            self.step_sessions(&ended, now);
            self.answer_wishes(now);
            self.tidy(now);
            self.publish(now);
            self.wait(now);
        }
        self.leave();
    }

    fn must_leave(&self) -> bool {
        // Jobs of an isolated node can send it signals, and nobody else has to.
        let told = self.file.isolation.is_none() && self.signals.terminate();
        told || self.folder.leave().exists() || !self.folder.node().exists()
    }

    // --- setup

    fn step_setup(&mut self, ended: &[(Pid, i32)], now: Duration) {
        let tools = Tools {
            view: &self.view,
            fence: &self.fence,
            keep: &self.keep,
        };
        match &mut self.setup {
            Setup::Mounting(volumes, _) => {
                volumes.hear(ended);
                if let Poll::Ready(mounted) = volumes.mount(now, tools) {
                    self.begin_setup_task(mounted);
                }
            }
            Setup::Making(volumes, _, doing) => {
                volumes.hear(ended);
                if let Some(made) = doing.poll() {
                    self.start_setup_task(made);
                }
            }
            Setup::Running(volumes, journal, pid) => {
                volumes.hear(ended);
                let Some((_, code)) = ended.iter().find(|(ended, _)| ended == pid) else {
                    return;
                };
                journal.say(format_args!("setup task ended with exit code {code}"));
                journal.settle(SETTLE_WITHIN);
                self.setup = Setup::Over(std::mem::take(volumes));
                if *code == 0 {
                    self.become_ready();
                } else {
                    let failure = self.setup_failure(*code);
                    self.set_phase(Phase::SetupFailed(vec![failure]));
                }
            }
            Setup::Over(volumes) => {
                volumes.hear(ended);
                let idle = self.attempt.is_none() && self.status.phase == Phase::Ready;
                if idle && volumes.has_dead(&self.keep.borrow()) {
                    crate::say("a volume of the cluster has died and is mounted anew");
                    volumes.renew(tools);
                    self.setup = Setup::Renewing(std::mem::take(volumes));
                    self.step_setup(&[], now);
                }
            }
            Setup::Renewing(volumes) => {
                volumes.hear(ended);
                if let Poll::Ready(mounted) = volumes.mount(now, tools) {
                    self.setup = Setup::Over(std::mem::take(volumes));
                    if let Err(error) = mounted {
                        crate::say(describe(&error));
                        self.set_phase(Phase::SetupFailed(vec![error]));
                    }
                }
            }
        }
    }

    /// The setup task, taken out of `node.json` too: its secrets need not lie in a file as long as the node lives. Nobody
    /// starts a node again by that file.
    fn take_setup_task(&mut self) -> Option<Process> {
        let setup = self.file.plan.setup.take()?;
        if let Err(error) = files::write(&self.folder.node(), &self.file) {
            crate::say(format_args!(
                "the secrets of the setup task stay in node.json: {error}"
            ));
        }
        Some(setup)
    }

    fn begin_setup_task(&mut self, mounted: Result<(), BatchAiError>) {
        let setup = self.take_setup_task();
        let Setup::Mounting(mut volumes, journal) = std::mem::take(&mut self.setup) else {
            return;
        };
        for note in volumes.notes() {
            journal.say(note);
        }
        if let Err(error) = mounted {
            self.setup = Setup::Mounting(volumes, journal);
            return self.start_setup_task(Err(error));
        }
        let directories = self.file.plan.directories.clone();
        let environment = Arc::clone(&self.environment);
        let doing = self.view.begin(move || {
            place::make_all(&directories)?;
            Ok(setup.map(|setup| process::prepare(&setup, &environment)))
        });
        self.setup = Setup::Making(volumes, journal, doing);
    }

    fn start_setup_task(&mut self, made: Made) {
        let (Setup::Mounting(volumes, journal) | Setup::Making(volumes, journal, _)) =
            std::mem::take(&mut self.setup)
        else {
            return;
        };
        let prepared = match made {
            Ok(prepared) => prepared,
            Err(error) => {
                journal.say(describe(&error));
                journal.settle(SETTLE_WITHIN);
                self.setup = Setup::Over(volumes);
                return self.set_phase(Phase::SetupFailed(vec![error]));
            }
        };
        journal.say(format_args!("{} volumes mounted", volumes.up()));
        let Some(prepared) = prepared else {
            self.setup = Setup::Over(volumes);
            return self.become_ready();
        };
        let mark = mark(self.folder.root(), "setup");
        let started = prepared.and_then(|prepared| {
            let name = prepared.name().to_owned();
            let pid = self.view.run(move || prepared.start(&mark))?;
            Ok((name, pid))
        });
        match started {
            Ok((name, pid)) => {
                journal.say(format_args!("{name} started, process {}", pid.as_raw_pid()));
                self.setup = Setup::Running(volumes, journal, pid);
            }
            Err(why) => {
                journal.say(&why.error.message);
                journal.settle(SETTLE_WITHIN);
                self.setup = Setup::Over(volumes);
                let failure = self.setup_failure(why.exit_code);
                self.set_phase(Phase::SetupFailed(vec![failure]));
            }
        }
    }

    fn setup_failure(&self, code: i32) -> BatchAiError {
        BatchAiError {
            code: SETUP_TASK_FAILED.to_owned(),
            message: "The setup task failed with non-zero exit code. Read its stderr, then scale the \
                      cluster down and up."
                .to_owned(),
            details: vec![
                ("nodeId".to_owned(), self.file.plan.name.clone()),
                ("exitCode".to_owned(), code.to_string()),
            ],
        }
    }

    fn become_ready(&mut self) {
        if let Some(cgroup) = self.cgroup.clone() {
            let setup = mark(self.folder.root(), "setup");
            match cgroup.begin_jobs() {
                Ok(()) => self.fence = Fence::Cgroup { cgroup, setup },
                Err(error) => crate::say(format_args!("jobs run without a cgroup of their own: {error}")),
            }
        }
        self.set_phase(Phase::Ready);
    }

    fn set_phase(&mut self, phase: Phase) {
        self.status.phase = phase;
        self.changed();
    }

    fn step_sessions(&mut self, ended: &[(Pid, i32)], now: Duration) {
        if let Some(sessions) = &mut self.sessions {
            let around = login::Surroundings {
                fence: &self.fence,
                environment: &self.environment,
                view: &self.view,
            };
            sessions.step(ended, now, &around);
        }
    }

    // --- attempts

    fn step_attempt(&mut self, ended: &[(Pid, i32)], now: Duration) {
        let Some(attempt) = &mut self.attempt else { return };
        let placement = attempt.placement();
        let stop = self.wishes.get(&placement).is_some_and(|wish| wish.stop);
        let around = Surroundings {
            fence: &self.fence,
            environment: &self.environment,
            view: &self.view,
            folder: self.folder.root(),
            site: &self.site,
            keep: &self.keep,
            limits: &self.limits,
        };
        let over = attempt.step(ended, stop, now, &around);
        let decided = attempt.is_decided();
        if let Some(verdict) = over {
            let keep = match verdict {
                // It has taken too much room: that is needed now.
                Verdict::OverLimit(..) => Some(0),
                _ => self.file.keep_job_temp,
            };
            let until = keep.map(|seconds| now.saturating_add(Duration::from_secs(seconds)));
            self.last_directory = Some((attempt.directory(), until));
            self.attempt = None;
            self.record_end(placement, verdict);
        } else if decided {
            self.record_decision(placement);
        }
    }

    /// Starts what is wanted, refuses what was stopped before it began, forgets what is no longer wanted.
    fn answer_wishes(&mut self, now: Duration) {
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
    fn may_begin(&self) -> bool {
        let whole = match &self.setup {
            Setup::Over(volumes) => !volumes.has_dead(&self.keep.borrow()),
            Setup::Mounting(..) | Setup::Making(..) | Setup::Running(..) | Setup::Renewing(_) => false,
        };
        whole && self.status.phase == Phase::Ready
    }

    fn knows(&self, placement: PlacementId) -> bool {
        self.status
            .placements
            .iter()
            .any(|known| known.placement == placement)
    }

    fn start(&mut self, placement: PlacementId, now: Duration) {
        let wanted: WantedFile = match files::read(&self.folder.plan(placement)) {
            Ok(wanted) => wanted,
            Err(error) => {
                crate::say(format_args!("{error}"));
                let failure = BatchAiError::new("LaunchPlanUnreadable", error.to_string());
                return self.record_end(placement, Verdict::NotStarted(failure, None));
            }
        };
        self.discard_last();
        let around = Surroundings {
            fence: &self.fence,
            environment: &self.environment,
            view: &self.view,
            folder: self.folder.root(),
            site: &self.site,
            keep: &self.keep,
            limits: &self.limits,
        };
        let mark = mark(self.folder.root(), &placement.to_string());
        self.attempt = Some(Attempt::begin(wanted.plan, mark, now, &around));
        self.status.placements.push(PlacementStatus {
            placement,
            ended: None,
            decided: false,
        });
        self.changed_a_little(now);
    }

    fn discard_last(&mut self) {
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
    fn tidy(&mut self, now: Duration) {
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

    fn record_end(&mut self, placement: PlacementId, verdict: Verdict) {
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

    fn record_decision(&mut self, placement: PlacementId) {
        let mut known = self.status.placements.iter_mut();
        if let Some(known) = known.find(|known| known.placement == placement && !known.decided) {
            known.decided = true;
            self.changed();
        }
    }

    fn forget(&mut self, wishes: &BTreeMap<PlacementId, Wish>, now: Duration) {
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

    // --- status

    fn changed(&mut self) {
        self.write_at = Some(Duration::ZERO);
    }

    fn changed_a_little(&mut self, now: Duration) {
        self.write_at.get_or_insert(now + WRITE_SOON);
    }

    /// Writes the status if it has changed, and says so. A full disk only delays it.
    fn publish(&mut self, now: Duration) {
        if self.write_at.is_some_and(|at| now >= at) {
            match files::write(&self.folder.status(), &self.status) {
                Ok(()) => {
                    self.write_at = None;
                    self.tell_at = Some(Duration::ZERO);
                }
                Err(error) => {
                    crate::say(format_args!("cannot write the status, will try again: {error}"));
                    self.write_at = Some(now + WRITE_AGAIN);
                }
            }
        }
        if self.tell_at.is_some_and(|at| now >= at) {
            let told = self
                .engine
                .as_ref()
                .map(|engine| engine.send(&self.socket, self.file.plan.uid.to_string().as_bytes()));
            let full = told.is_some_and(|t| t.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock));
            self.tell_at = full.then(|| now + TELL_AGAIN);
        }
    }

    // --- waiting and leaving

    fn wait(&mut self, now: Duration) {
        let mut until = now + LOOK_EVERY;
        let others = [
            self.write_at,
            self.tell_at,
            self.attempt.as_ref().map(Attempt::wake_at),
            self.sessions.as_ref().and_then(|sessions| sessions.wake_at(now)),
            self.setup.wake_at(),
            self.last_directory.as_ref().and_then(|(_, until)| *until),
            // A second plan may have waited for the first to end.
            (self.attempt.is_none() && self.waiting()).then_some(now),
        ];
        for at in others.into_iter().flatten() {
            until = until.min(at);
        }
        self.sleep(until.saturating_sub(since_boot()));
    }

    fn waiting(&self) -> bool {
        self.may_begin() && self.wishes.keys().any(|placement| !self.knows(*placement))
    }

    /// Sleeps until told to look, a signal comes, or the time is over.
    fn sleep(&mut self, time: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        let mut descriptors = vec![
            PollFd::new(&self.socket, PollFlags::IN),
            PollFd::new(&self.signals.pipe, PollFlags::IN),
            PollFd::new(self.view.bell(), PollFlags::IN),
        ];
        let commands = self.attempt.iter().flat_map(Attempt::descriptors);
        let logins = self.sessions.iter().flat_map(Sessions::descriptors);
        descriptors.extend(
            commands
                .chain(logins)
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        let _ = poll(&mut descriptors, Some(&timeout));
        drain(&self.socket);
        let mut buffer = [0; 64];
        while self.signals.pipe.read(&mut buffer).is_ok_and(|length| length > 0) {}
        while self.view.bell().read(&mut buffer).is_ok_and(|length| length > 0) {}
    }

    /// Ends everything. No verdict is written: the attempt did not end by itself, its node went away.
    fn leave(mut self) {
        // Dropped, since nobody takes their callers any more: they would wake every sleep.
        let attempt = self.attempt.take();
        let sessions = self.sessions.take();
        let placement = attempt.as_ref().map(Attempt::placement);
        let volumes = attempt.map(Attempt::into_volumes);
        if let Some(placement) = placement {
            let mark = mark(self.folder.root(), &placement.to_string());
            self.fence.signal(&mark, rustix::process::Signal::TERM);
            let setup = Fence::Descent {
                setup: crate::fence::mark(self.folder.root(), "setup"),
            };
            let fence = std::mem::replace(&mut self.fence, setup);
            self.until(|| fence.members(&mark).is_empty());
            self.fence = fence;
        }
        if let Some(mut sessions) = sessions {
            let now = since_boot();
            sessions.end_all(now);
            self.until(|| sessions.are_gone(since_boot()));
            sessions.are_gone(now + LEAVE_GRACE);
        }
        let of_cluster = std::mem::take(&mut self.setup).into_volumes();
        for volumes in volumes.into_iter().chain([of_cluster]) {
            self.unmount(volumes);
        }
        let home = self.cgroup.take().map(|cgroup| cgroup.home().to_owned());
        let root = self.folder.root().to_owned();
        if let Some(home) = &home {
            cgroup::step_out(home);
        }
        self.limits.step_out();
        self.until(|| sweep(&root, home.as_deref()));
    }

    /// Takes volumes away, as far as that goes within the grace.
    fn unmount(&mut self, mut volumes: Volumes) {
        volumes.give_up();
        let deadline = since_boot() + LEAVE_GRACE;
        while since_boot() < deadline {
            let tools = Tools {
                view: &self.view,
                fence: &self.fence,
                keep: &self.keep,
            };
            if volumes.unmount(since_boot(), tools).is_ready() {
                return;
            }
            let at = volumes.wake_at().unwrap_or(deadline).min(deadline);
            self.sleep(at.saturating_sub(since_boot()));
            let ended = process::reap();
            self.keep.get_mut().hear(&ended);
            volumes.hear(&ended);
        }
    }

    fn until(&mut self, over: impl Fn() -> bool) {
        let deadline = since_boot() + LEAVE_GRACE;
        let mut pause = Duration::from_millis(2);
        while !over() && since_boot() < deadline {
            self.sleep(pause);
            process::reap();
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}
