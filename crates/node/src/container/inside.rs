//! What runs in a container: a first process that starts others, and the side that asks it to.
//!
//! An order is a file in a folder that node and container share, with a [`Process`] in it; its name and the streams of
//! the process come over a socket beside it. The first process is init too: it takes note of every end. Told to stop, it
//! asks all others to end, and ends when they have.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::process::{Pid, Signal, getpid, kill_process_group, umask};
use trainyard_domain::launch::Process;

use crate::fence::{MARK, signal_all};
use crate::machine::{processes, stat};
use crate::process::{self, NotStarted};
use crate::remote::{Begun, Listener, Request};
use crate::signals::Signals;

/// Name of the socket.
pub const SOCKET: &str = "socket";
/// Name of the folder of orders.
pub const ORDERS: &str = "orders";
/// Name of the file that says by what command lines are read.
pub const SHELL: &str = "shell";
/// Said in the place of an order: all processes are to end.
pub const STOP: &str = "stop";
/// Shells for command lines, the wanted one first.
const SHELLS: [&str; 2] = ["bash", "sh"];
/// First and longest pause between looks for what is left.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));

/// Is the first process of a container until it is told to stop and nothing else is left. `image` are the variables
/// that the image sets.
pub fn init(folder: &Path, image: &BTreeMap<String, String>) -> io::Result<()> {
    umask(Mode::from_raw_mode(0o022));
    let mut signals = Signals::listen()?;
    let path = image.get("PATH").map_or("", String::as_str);
    let shell = SHELLS
        .into_iter()
        .find(|shell| super::find::in_path(shell, path).is_some());
    fs::write(folder.join(SHELL), shell.unwrap_or_default())?;
    let first = First {
        folder,
        image,
        mark: image.get(MARK).map_or("", String::as_str),
    };
    let mut listener = Listener::open(&folder.join(SOCKET), None)?;
    let mut pause = None;
    loop {
        for (pid, code) in process::reap() {
            listener.ended(pid, code);
        }
        let mut stop = signals.terminate();
        let hung_up = listener.step(|request, _| {
            if request.text == STOP {
                stop = true;
                return Begun::Refused(NotStarted::nothing());
            }
            first.start(request).map_or_else(Begun::Refused, Begun::Runs)
        });
        for pid in hung_up {
            let _ = kill_process_group(pid, Signal::HUP);
        }
        let left = others();
        if stop && pause.is_none() {
            pause = Some(PAUSES.0);
            signal_all(&left, Signal::TERM);
        }
        if pause.is_some() && left.is_empty() {
            return Ok(());
        }
        wait(&mut signals, &listener, pause);
        pause = pause.map(|pause| (pause * 2).min(PAUSES.1));
    }
}

/// Processes of this container beside this one.
fn others() -> Vec<Pid> {
    let me = getpid();
    let mut all = processes();
    all.retain(|pid| *pid != me && stat(*pid).is_some_and(|stat| !stat.zombie));
    all
}

fn wait(signals: &mut Signals, listener: &Listener, pause: Option<Duration>) {
    let timeout = pause.map(|pause| Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(pause.subsec_nanos()),
    });
    let mut descriptors = vec![PollFd::new(&signals.pipe, PollFlags::IN)];
    descriptors.extend(
        listener
            .descriptors()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
    );
    let _ = poll(&mut descriptors, timeout.as_ref());
    drop(descriptors);
    let mut buffer = [0; 64];
    while signals.pipe.read(&mut buffer).is_ok_and(|length| length > 0) {}
}

struct First<'a> {
    folder: &'a Path,
    image: &'a BTreeMap<String, String>,
    mark: &'a str,
}

impl First<'_> {
    /// Starts what an order says: with the image's variables where the order has none, and with sh where the image has
    /// no bash.
    fn start(&self, request: Request) -> Result<Pid, NotStarted> {
        let mut wanted = take(self.folder, &request.text)?;
        let Ok(streams) = <[OwnedFd; 3]>::try_from(request.streams) else {
            return Err(process::refused(&wanted, "it has not three streams"));
        };
        let path = |process: &Process| {
            let path = process.environment.get("PATH").or_else(|| self.image.get("PATH"));
            path.cloned().unwrap_or_default()
        };
        let [bash, sh] = SHELLS;
        if wanted.arguments.first().is_some_and(|word| word == bash)
            && super::find::in_path(bash, &path(&wanted)).is_none()
            && let Some(word) = wanted.arguments.first_mut()
        {
            sh.clone_into(word);
        }
        process::start_with(&wanted, self.image, self.mark, streams.map(Stdio::from))
    }
}

/// Reads an order, which is gone then: secrets stand in it.
fn take(folder: &Path, name: &str) -> Result<Process, NotStarted> {
    let wrong = |why: String| NotStarted::because(126, "an order", &why);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("its name is no number".to_owned()));
    }
    let path = folder.join(ORDERS).join(name);
    let text = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let _ = fs::remove_file(path);
    serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))
}

/// Writes an order, readable by its owner only.
pub fn put(folder: &Path, name: &str, process: &Process) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(ORDERS).join(name))?;
    serde_json::to_writer(file, process).map_err(io::Error::from)
}
