//! The node process: it looks at its folder, does what is wanted, writes down what became of it.

mod leave;
mod setup;
mod wishes;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::process::{Pid, getpid, set_child_subreaper, setsid, umask};
use trainyard_domain::ids::PlacementId;
use trainyard_domain::state::Verdict;

use crate::alive::Alive;
use crate::attempt::Attempt;
use crate::cgroup::{Cgroup, Limits};
use crate::container::Site;
use crate::fence::{Fence, mark};
use crate::files::{self, FileError, Folder, NodeFile, Phase, StatusFile};
use crate::isolation::{Entered, enter, in_words};
use crate::journal::Journal;
use crate::login::{self, Sessions};
use crate::look::{OpenFolder, drain};
use crate::machine::{Identity, boot_id, own_stat, since_boot};
use crate::signals::Signals;
use crate::view::View;
use crate::volume::keep::Keep;
use crate::volumes::Volumes;
use crate::wanted::{Wish, scan};
use crate::{descriptors, environment, process};

use setup::Setup;

/// How often a node looks without being told: whether its folder is still there, and for a lost "look".
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// When a status that could not be written is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// When a status is written that nobody waits for: that an attempt has begun, or that one is forgotten. A
/// short job ends before that, and the status is written once for it.
const WRITE_SOON: Duration = Duration::from_millis(50);
/// When an engine whose socket was full is told again.
const TELL_AGAIN: Duration = Duration::from_millis(20);

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
}
