//! The sessions of a node: what people who are logged in run there.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use trainyard_domain::launch::Process;

use super::Request;
use super::connect::Connecting;
use crate::fence::{Fence, LOGIN, family, mark, signal_all};
use crate::files::Folder;
use crate::process;
use crate::remote::{self, Begun, Listener};
use crate::view::View;

/// Time between SIGHUP and SIGKILL for what a session left.
const GRACE: Duration = Duration::from_secs(2);
/// How long its program may take to be found.
const FIND_WITHIN: Duration = Duration::from_secs(2);
/// Pause between looks for what a session left.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What sessions need of their node.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Keeps the processes of jobs together, and those of sessions out.
    pub fence: &'a Fence,
    /// The environment of a session.
    pub environment: &'a Arc<BTreeMap<String, String>>,
    /// What a session sees.
    pub view: &'a Arc<View>,
}

/// The sessions of a node.
#[derive(Debug)]
pub struct Sessions {
    listener: Listener,
    folder: PathBuf,
    /// How many there were: each has a mark of its own.
    count: u64,
    running: Vec<Session>,
    connecting: Connecting,
}

/// A session: a command or a shell, and what it started.
#[derive(Debug)]
struct Session {
    pid: Pid,
    mark: String,
    /// Set when it is over: what is left is killed then.
    kill_at: Option<Duration>,
}

impl Sessions {
    /// Takes requests in the node's folder.
    pub fn open(folder: &Folder) -> io::Result<Sessions> {
        Ok(Sessions {
            listener: Listener::open(&folder.login(), None)?,
            folder: folder.root().to_owned(),
            count: 0,
            running: Vec::new(),
            connecting: Connecting::default(),
        })
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.listener.descriptors()
    }

    /// When to call [`Sessions::step`] again, if nothing happens before.
    pub fn wake_at(&self, now: Duration) -> Option<Duration> {
        let ending = self.running.iter().any(|session| session.kill_at.is_some());
        ending.then(|| now + LOOK_AGAIN)
    }

    /// Goes on after processes have ended, requests have come or time has passed.
    pub fn step(&mut self, ended: &[(Pid, i32)], now: Duration, around: &Surroundings) {
        for &(pid, code) in ended {
            self.listener.ended(pid, code);
            self.end(pid, now);
        }
        let Sessions {
            listener,
            folder,
            count,
            running,
            connecting,
        } = self;
        let hung_up = listener.step(|request, caller| match serde_json::from_str(&request.text) {
            Ok(Request::Run {
                command,
                environment,
                terminal,
            }) => {
                *count += 1;
                let mark = mark(folder, &format!("{LOGIN}{count}"));
                let wanted = wanted(command, environment, terminal, around.environment);
                let begun = start(wanted, request.streams, &mark, around);
                if let Begun::Runs(pid) = begun {
                    let kill_at = None;
                    running.push(Session { pid, mark, kill_at });
                }
                begun
            }
            Ok(Request::Connect { host, port }) => {
                if let Ok(caller) = caller.try_clone() {
                    connecting.start(host, port, caller);
                }
                Begun::Elsewhere
            }
            // Nobody else writes here: this is another version's, which sees that no answer comes.
            Err(error) => {
                crate::say(format_args!("a request of a login was not understood: {error}"));
                Begun::Elsewhere
            }
        });
        for pid in hung_up {
            self.end(pid, now);
        }
        self.running.retain(|session| !session.is_gone(now));
    }

    /// All sessions are over: the node leaves.
    pub fn end_all(&mut self, now: Duration) {
        let all: Vec<Pid> = self.running.iter().map(|session| session.pid).collect();
        all.into_iter().for_each(|pid| self.end(pid, now));
    }

    /// Whether nothing of any session is left. What has had its time is killed.
    pub fn are_gone(&self, now: Duration) -> bool {
        // Each is looked at: a look may kill.
        self.running
            .iter()
            .filter(|session| !session.is_gone(now))
            .count()
            == 0
    }

    /// The session of this process is over: what it left is told so, as of a terminal that hangs up.
    fn end(&mut self, pid: Pid, now: Duration) {
        let mut sessions = self.running.iter_mut();
        if let Some(session) = sessions.find(|session| session.pid == pid && session.kill_at.is_none()) {
            session.kill_at = Some(now + GRACE);
            let left = family(&session.mark);
            signal_all(&left, Signal::HUP);
            // What was stopped would never hear it.
            signal_all(&left, Signal::CONT);
        }
    }
}

impl Session {
    fn is_gone(&self, now: Duration) -> bool {
        let Some(kill_at) = self.kill_at else {
            return false;
        };
        let left = family(&self.mark);
        if now >= kill_at {
            signal_all(&left, Signal::KILL);
        }
        left.is_empty()
    }
}

/// The process of a session, in the home of the account that jobs run as. It sees nothing of a job.
fn wanted(
    command: Option<String>,
    own: BTreeMap<String, String>,
    terminal: bool,
    defaults: &BTreeMap<String, String>,
) -> Process {
    let with_terminal = ["setsid", "--ctty", "--wait"].map(str::to_owned);
    let shell = match command {
        Some(command) => vec!["bash".to_owned(), "-c".to_owned(), command],
        None => vec!["bash".to_owned(), "-l".to_owned()],
    };
    let mut environment = own;
    environment.insert("SHELL".to_owned(), "/bin/bash".to_owned());
    if let Some(user) = defaults.get("USER") {
        environment.insert("LOGNAME".to_owned(), user.clone());
    }
    let home = defaults.get("HOME").filter(|home| Path::new(home).is_dir());
    Process {
        name: "login".to_owned(),
        arguments: with_terminal
            .into_iter()
            .filter(|_| terminal)
            .chain(shell)
            .collect(),
        environment,
        directory: home.map_or_else(|| "/".to_owned(), String::clone),
        stdout: String::new(),
        stderr: String::new(),
        decides: false,
    }
}

fn start(wanted: Process, streams: Vec<OwnedFd>, mark: &str, around: &Surroundings) -> Begun {
    let Ok(streams) = <[OwnedFd; remote::STREAMS]>::try_from(streams) else {
        return Begun::Refused(process::refused(&wanted, "it has not three streams"));
    };
    let streams = streams.map(Stdio::from);
    let (environment, mark) = (Arc::clone(around.environment), mark.to_owned());
    let name = wanted.clone();
    let started = around.fence.outside(|_| {
        // Nothing of it lies on a volume but what its PATH may lead over.
        let late = process::refused(&wanted, "a volume in its PATH does not answer");
        let prepare = move || process::prepare_with(&wanted, &environment, streams);
        let prepared = around.view.within(FIND_WITHIN, prepare).unwrap_or(Err(late));
        Ok(prepared.and_then(|prepared| around.view.run(move || prepared.start(&mark))))
    });
    match started {
        Ok(Ok(pid)) => Begun::Runs(pid),
        Ok(Err(why)) => Begun::Refused(why),
        Err(error) => Begun::Refused(process::refused(&name, &error.to_string())),
    }
}
