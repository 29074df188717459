//! The side that takes commands from the other nodes of the attempt.

use std::fs;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, accept_with, bind, listen,
    recvmsg, send,
};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process_group};

use super::{LONGEST, socket_at};
use crate::process::NotStarted;

/// Most callers that may wait to be taken.
const BACKLOG: i32 = 1024;
/// Most callers at once, where the node may have enough descriptors: more of them wait.
const MOST: usize = 512;
/// Part of the node's descriptors that callers may take: with none left it would neither hear a stop nor find the
/// processes that it has to end.
const PART: usize = 4;

/// Takes commands of one attempt.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    callers: Vec<Caller>,
    most: usize,
}

/// Somebody who has connected.
#[derive(Debug)]
struct Caller {
    socket: OwnedFd,
    /// Its command, once it runs.
    pid: Option<Pid>,
    gone: bool,
}

/// A command that came, and the streams that are to be its own.
#[derive(Debug)]
pub struct Command {
    /// The command line, for bash.
    pub line: String,
    /// Stdin, stdout and stderr.
    pub streams: [OwnedFd; 3],
}

impl Listener {
    /// Makes the socket at `path`; it appears there once it takes callers. Only who may write it can connect: the
    /// owner.
    pub fn open(path: &Path) -> io::Result<Listener> {
        let name = path.file_name().unwrap_or_default().display();
        let new = path.with_file_name(format!(".new{name}"));
        let _ = fs::remove_file(&new);
        let (socket, address, _folder) = socket_at(&new, SocketFlags::NONBLOCK)?;
        bind(&socket, &address)?;
        listen(&socket, BACKLOG)?;
        fs::rename(&new, path)?;
        Ok(Listener {
            socket,
            path: path.to_owned(),
            callers: Vec::new(),
            most: most(),
        })
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let callers = self.callers.iter().map(|caller| caller.socket.as_fd());
        let more = self.callers.len() < self.most;
        more.then(|| self.socket.as_fd()).into_iter().chain(callers)
    }

    /// Takes what has come; `start` starts a command and says which process it is.
    pub fn step(&mut self, mut start: impl FnMut(Command) -> Result<Pid, NotStarted>) {
        while self.callers.len() < self.most
            && let Ok(socket) = accept_with(&self.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
        {
            self.callers.push(Caller {
                socket,
                pid: None,
                gone: false,
            });
        }
        for caller in &mut self.callers {
            caller.step(&mut start);
        }
        self.callers.retain(|caller| !caller.gone);
    }

    /// A process has ended: whoever called it is told.
    pub fn ended(&mut self, pid: Pid, code: i32) {
        if let Some(at) = self.callers.iter().position(|caller| caller.pid == Some(pid)) {
            self.callers.remove(at).answer(code, "");
        }
    }
}

/// Nobody finds it any more, and who waits for an answer sees that none comes.
impl Drop for Listener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Caller {
    fn step(&mut self, start: &mut impl FnMut(Command) -> Result<Pid, NotStarted>) {
        let longest = match self.pid {
            None => LONGEST,
            Some(_) => 0,
        };
        match receive(&self.socket, longest) {
            Ok(Some(command)) if self.pid.is_none() => match start(command) {
                Ok(pid) => self.pid = Some(pid),
                Err(why) => {
                    self.answer(why.exit_code, &why.error.message);
                    self.gone = true;
                }
            },
            Err(Errno::AGAIN | Errno::INTR) => {}
            // It went away, or says what nobody should. Its command is told so, as of a terminal that hangs up; one
            // that made itself independent goes on.
            Ok(_) | Err(_) => {
                if let Some(pid) = self.pid {
                    let _ = kill_process_group(pid, Signal::HUP);
                }
                self.gone = true;
            }
        }
    }

    /// The exit code, and why the command did not start, if so: its streams are not the node's to write to, who reads
    /// them may be slow.
    fn answer(&self, code: i32, why: &str) {
        let answer = [&code.to_le_bytes(), why.as_bytes()].concat();
        let _ = send(&self.socket, &answer, SendFlags::NOSIGNAL);
    }
}

fn most() -> usize {
    let descriptors = getrlimit(Resource::Nofile).current;
    let descriptors = descriptors.and_then(|limit| usize::try_from(limit).ok());
    descriptors.map_or(MOST, |limit| MOST.min(limit / PART))
}

/// The next message: a command of at most `longest` bytes, or `None` when it is none or the caller is gone.
fn receive(socket: &OwnedFd, longest: usize) -> Result<Option<Command>, Errno> {
    let mut text = vec![0; longest + 1];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut control, flags)?;
    let streams: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(streams) => Some(streams),
            _ => None,
        })
        .flatten()
        .collect();
    text.truncate(received.bytes);
    let command = streams.try_into().ok().zip(String::from_utf8(text).ok());
    Ok(command
        .filter(|(_, line)| !line.is_empty() && line.len() <= longest && !line.contains('\0'))
        .map(|(streams, line)| Command { line, streams }))
}
