//! The side that sends a command to another node: what `ssh` is for MPI launchers.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, connect, recv, sendmsg,
};
use trainyard_domain::launch::SOCKET;

use super::{LONGEST, socket_at};
use crate::machine::since_boot;

/// How long a node of the job may take until it takes commands: its preparation has ended by then, since the toolkit
/// starts on no node before.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes of an answer: an exit code and a sentence.
const LONGEST_ANSWER: usize = 1024;
/// Pause between two tries to reach a node that has not begun yet.
const TRY_AGAIN: Duration = Duration::from_millis(10);
/// Options of ssh and rsh that have a value in the next argument.
const WITH_VALUE: [&str; 8] = ["-l", "-p", "-o", "-i", "-F", "-b", "-c", "-m"];

/// Why a command could not be run on another node.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It was asked wrongly.
    #[error("call it as: PROGRAM NODE COMMAND…")]
    Usage,
    /// No shared directory is named, so this is no process of a job.
    #[error("this is not a process of a job: AZ_BATCHAI_SHARED_JOB_TEMP is not set")]
    NoJob,
    /// There is no such node.
    #[error("{asked} is no node of this job, or it does not take commands; the job's nodes: {nodes}")]
    NoNode {
        /// The node asked for.
        asked: String,
        /// Those that take commands.
        nodes: String,
    },
    /// `ssh` is called for more than a command.
    #[error("ssh -{option} to {node}: to a node of the same job ssh runs commands and shells alone")]
    Option {
        /// The node.
        node: String,
        /// The option.
        option: char,
    },
    /// There is no real ssh for a host that is no node of the job.
    #[error("{host} is no node of this job, and no other ssh is in PATH; the job's nodes: {nodes}")]
    NoSsh {
        /// The host asked for.
        host: String,
        /// Nodes that take commands.
        nodes: String,
    },
    /// The command line is too long.
    #[error("the command has {bytes} bytes; use at most {LONGEST}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The node could not start the command.
    #[error("{node}: {why}")]
    NotStarted {
        /// The node.
        node: String,
        /// What it says.
        why: String,
        /// The exit code that it gives for that.
        code: i32,
    },
    /// The node went away before the command ended.
    #[error("{node} has ended the command, or has gone")]
    Ended {
        /// The node.
        node: String,
    },
    /// The system refused something.
    #[error("{node} cannot be reached")]
    System {
        /// The node.
        node: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Runs a command on another node of the job that this process belongs to, with this process's stdin, stdout and
/// stderr; its exit code. `arguments` are as those of ssh: options are skipped, then come the node's address, maybe
/// with `USER@` before it, and the command, whose words are joined for the shell there. `shared` is the job's shared
/// directory.
pub fn call(arguments: &[OsString], shared: Option<&OsStr>) -> Result<i32, CallError> {
    let (node, command) = read(arguments).ok_or(CallError::Usage)?;
    let shared = Path::new(shared.filter(|path| !path.is_empty()).ok_or(CallError::NoJob)?);
    let stdin = io::stdin();
    run(&node, &command, shared, &stdin)
}

/// Runs a command on a node of the job whose shared directory is `shared`, with this process's stdout and stderr.
pub(super) fn run(node: &str, command: &OsStr, shared: &Path, stdin: &impl AsFd) -> Result<i32, CallError> {
    let bytes = command.as_bytes().len();
    if bytes > LONGEST {
        return Err(CallError::TooLong { bytes });
    }
    let socket = poll_for(node, shared)?;
    send_and_wait(&socket, node, command.as_bytes(), stdin)
}

/// Runs a command by the socket at `path`, with this process's stdin, stdout and stderr; its exit code.
pub(crate) fn ask(path: &Path, command: &[u8]) -> Result<i32, CallError> {
    let node = path.display().to_string();
    let socket = reach(path).map_err(|source| CallError::System {
        node: node.clone(),
        source,
    })?;
    send_and_wait(&socket, &node, command, &io::stdin())
}

/// Sends a command to the socket at `path` and does not wait for its end.
pub(crate) fn tell(path: &Path, command: &[u8]) -> io::Result<()> {
    Ok(send(&reach(path)?, command, &io::stdin())?)
}

fn reach(path: &Path) -> io::Result<OwnedFd> {
    let (socket, address, _folder) = socket_at(path, SocketFlags::empty())?;
    connect(&socket, &address)?;
    Ok(socket)
}

fn send_and_wait(socket: &OwnedFd, node: &str, command: &[u8], stdin: &impl AsFd) -> Result<i32, CallError> {
    let failed = |source: Errno| CallError::System {
        node: node.to_owned(),
        source: source.into(),
    };
    send(socket, command, stdin).map_err(failed)?;
    let mut answer = [0; LONGEST_ANSWER];
    let length = match recv(socket, &mut answer, RecvFlags::empty()) {
        Ok((length, _)) => length,
        Err(Errno::CONNRESET) => 0,
        Err(error) => return Err(failed(error)),
    };
    let node = node.to_owned();
    match answer[..length].split_first_chunk() {
        Some((code, [])) => Ok(i32::from_le_bytes(*code)),
        Some((code, why)) => Err(CallError::NotStarted {
            code: i32::from_le_bytes(*code),
            node,
            why: String::from_utf8_lossy(why).into_owned(),
        }),
        None => Err(CallError::Ended { node }),
    }
}

/// Where the node of this name or address takes commands, if it is one that may have a socket.
pub(super) fn socket(shared: &Path, node: &str) -> Option<PathBuf> {
    let good = !node.is_empty() && !node.contains('/');
    good.then(|| shared.join(format!("{SOCKET}{node}")))
}

/// The node and the command.
fn read(arguments: &[OsString]) -> Option<(String, OsString)> {
    let mut rest = arguments.iter();
    let node = loop {
        let argument = rest.next()?;
        match argument.to_str()? {
            option if WITH_VALUE.contains(&option) => {
                rest.next()?;
            }
            option if option.starts_with('-') => {}
            node => break node,
        }
    };
    let node = node.rsplit_once('@').map_or(node, |(_, node)| node);
    let words: Vec<&OsStr> = rest.map(OsString::as_os_str).collect();
    (!words.is_empty()).then(|| (node.to_owned(), words.join(OsStr::new(" "))))
}

/// The node's socket, once it is there: nodes of a job begin at about the same time, not at the very same.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody says when another machine's node has made its socket; bounded by PATIENCE"
)]
fn poll_for(node: &str, shared: &Path) -> Result<OwnedFd, CallError> {
    let missing = || CallError::NoNode {
        asked: node.to_owned(),
        nodes: nodes(shared).join(", "),
    };
    let path = socket(shared, node).ok_or_else(missing)?;
    let deadline = since_boot() + PATIENCE;
    loop {
        match reach(&path) {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == io::ErrorKind::NotFound && since_boot() < deadline => {
                std::thread::sleep(TRY_AGAIN);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing()),
            Err(source) => {
                let node = node.to_owned();
                return Err(CallError::System { node, source });
            }
        }
    }
}

/// Addresses of the nodes that take commands now.
pub(super) fn nodes(shared: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(shared).into_iter().flatten().flatten();
    let mut nodes: Vec<String> = entries
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix(SOCKET)?.to_owned()))
        .collect();
    nodes.sort_unstable();
    nodes
}

fn send(socket: &OwnedFd, command: &[u8], stdin: &impl AsFd) -> Result<(), Errno> {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let streams = [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&streams));
    let flags = SendFlags::NOSIGNAL;
    sendmsg(socket, &[IoSlice::new(command)], &mut control, flags).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<(String, OsString)> {
        read(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_read_as_ssh_reads_them() {
        for line in [
            "127.16.0.5 orted -mca x \"y\"",
            "-x -o Ask=no -l root 127.16.0.5 orted -mca x \"y\"",
            "root@127.16.0.5 orted -mca x \"y\"",
        ] {
            let expected = ("127.16.0.5".to_owned(), OsString::from("orted -mca x \"y\""));
            assert_eq!(parsed(line), Some(expected), "{line}");
        }
        for line in ["127.16.0.5", "-x", "-l", "-l root"] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        let call_in = |shared: Option<&OsStr>| call(&["n/1".into(), "true".into()], shared).unwrap_err();
        assert!(matches!(call_in(None), CallError::NoJob));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".node-127.16.0.9"), "").unwrap();
        let error = call_in(Some(folder.path().as_os_str())).to_string();
        assert!(
            error.contains("n/1 is no node") && error.contains("127.16.0.9"),
            "{error}"
        );
    }
}
