//! What runs in a container: a first process that starts others, and the side that asks it to.
//!
//! An order is a file in a folder that node and container share, with a [`Wanted`] process in it; its name and the streams of
//! the process come over a socket beside it. The first process is init too: it takes note of every end. Told to stop, it
//! asks all others to end, and ends when they have.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::process::{Pid, Signal, getpid, kill_process_group, umask};
use serde::{Deserialize, Serialize};
use trainyard_domain::launch::Process;

use crate::fence::{MARK, signal_all};
use crate::machine::{processes, stat};
use crate::process::{self, NotStarted};
use crate::remote::{self, Begun, CallError, Listener, Request};
use crate::signals::Signals;

/// Name of the socket.
pub const SOCKET: &str = "socket";
/// Name of the folder of orders.
pub const ORDERS: &str = "orders";
/// Name of the file that says by what command lines are read.
const SHELL: &str = "shell";
/// Said in the place of an order: all processes are to end.
const STOP: &str = "stop";
/// More than the name of a shell has letters.
const NAME_LIMIT: u64 = 64;
/// Shells for command lines, the wanted one first.
const SHELLS: [&str; 2] = ["bash", "sh"];
/// First and longest pause between looks for what is left.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));

/// An order: what is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The process.
    pub process: Process,
    /// A directory of programs that it finds before others of their names.
    pub tools: Option<String>,
}

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
        let Wanted { mut process, tools } = take(self.folder, &request.text)?;
        let Ok(streams) = <[OwnedFd; 3]>::try_from(request.streams) else {
            return Err(process::refused(&process, "it has not three streams"));
        };
        let path = process.environment.get("PATH").or_else(|| self.image.get("PATH"));
        let path = path.cloned().unwrap_or_default();
        let [bash, sh] = SHELLS;
        if process.arguments.first().is_some_and(|word| word == bash)
            && super::find::in_path(bash, &path).is_none()
            && let Some(word) = process.arguments.first_mut()
        {
            sh.clone_into(word);
        }
        if let Some(tools) = tools {
            process
                .environment
                .insert("PATH".to_owned(), format!("{tools}:{path}"));
        }
        process::start_with(&process, self.image, self.mark, streams.map(Stdio::from))
    }
}

/// Reads an order, which is gone then: secrets stand in it.
fn take(folder: &Path, name: &str) -> Result<Wanted, NotStarted> {
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
pub fn put(folder: &Path, name: &str, wanted: &Wanted) -> io::Result<()> {
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let file = File::from(open(folder, &format!("{ORDERS}/{name}"), new)?);
    serde_json::to_writer(file, wanted).map_err(io::Error::from)
}

/// By what command lines are read; nothing where there is no shell.
pub fn shell(folder: &Path) -> io::Result<String> {
    let mut name = String::new();
    let file = File::from(open(folder, SHELL, OFlags::RDONLY | OFlags::NONBLOCK)?);
    file.take(NAME_LIMIT).read_to_string(&mut name)?;
    Ok(name)
}

/// Has an order done, with the streams of this process.
pub fn ask(folder: &Path, name: &str) -> Result<i32, CallError> {
    let socket = open(folder, SOCKET, OFlags::PATH).map_err(|source| CallError::System {
        node: SOCKET.to_owned(),
        source,
    })?;
    remote::ask(&path_of(&socket), name.as_bytes())
}

/// Asks all that runs in the container to end.
pub fn stop(folder: &Path) -> io::Result<()> {
    let socket = open(folder, SOCKET, OFlags::PATH)?;
    remote::tell(&path_of(&socket), STOP.as_bytes())
}

/// Opens what is shared with the container, on the node's side. The container may have laid a link in its place, which
/// would lead the node, who is root, to any file of the machine.
fn open(folder: &Path, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(folder, directory, Mode::empty())?;
    let mode = if flags.contains(OFlags::CREATE) {
        Mode::RUSR | Mode::WUSR
    } else {
        Mode::empty()
    };
    let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    Ok(openat2(&folder, name, flags | OFlags::CLOEXEC, mode, within)?)
}

fn path_of(open: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_of_the_container_leads_the_node_elsewhere() {
        let base = tempfile::tempdir().unwrap();
        let (folder, outside) = (base.path().join("inside"), base.path().join("outside"));
        fs::create_dir_all(folder.join(ORDERS)).unwrap();
        fs::create_dir(&outside).unwrap();
        let wanted = Wanted {
            process: Process {
                name: "job".to_owned(),
                arguments: vec!["true".to_owned()],
                environment: BTreeMap::new(),
                directory: "/".to_owned(),
                stdout: String::new(),
                stderr: String::new(),
                decides: true,
            },
            tools: None,
        };
        put(&folder, "1", &wanted).unwrap();
        assert!(put(&folder, "1", &wanted).is_err(), "no order is written over");
        assert_eq!(take(&folder, "1").unwrap(), wanted);
        fs::remove_dir(folder.join(ORDERS)).unwrap();
        symlink(&outside, folder.join(ORDERS)).unwrap();
        assert!(put(&folder, "2", &wanted).is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        fs::write(outside.join("secret"), "sh").unwrap();
        symlink(outside.join("secret"), folder.join(SHELL)).unwrap();
        assert!(shell(&folder).is_err());
        let listener = std::os::unix::net::UnixListener::bind(outside.join("s")).unwrap();
        symlink(outside.join("s"), folder.join(SOCKET)).unwrap();
        assert!(stop(&folder).is_err());
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err());
    }
}
