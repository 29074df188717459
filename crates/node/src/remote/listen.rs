//! The side that takes requests by a socket: commands of the attempt's other nodes, and what people do who log in.

use std::fs;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, accept_with, bind, listen,
    recvmsg, send,
};
use rustix::process::{Pid, Resource, getrlimit};

use super::{LONGEST, socket_at};
use crate::isolation::Account;
use crate::process::NotStarted;

/// Most callers that may wait to be taken.
const BACKLOG: i32 = 1024;
/// Most callers at once, where the node may have enough descriptors: more of them wait.
const MOST: usize = 512;
/// Part of the node's descriptors that callers may take: with none left it would neither hear a stop nor find the
/// processes that it has to end.
const PART: usize = 4;

/// Most descriptors that come with a request.
pub const STREAMS: usize = 3;

/// Takes requests.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    /// Links to it by other names.
    links: Vec<PathBuf>,
    callers: Vec<Caller>,
    most: usize,
}

/// Somebody who has connected.
#[derive(Debug)]
struct Caller {
    socket: OwnedFd,
    /// The process that runs for it.
    pid: Option<Pid>,
    gone: bool,
}

/// A request that came.
#[derive(Debug)]
pub struct Request {
    /// What is asked for; never empty, without a NUL.
    pub text: String,
    /// Descriptors that came with it.
    pub streams: Vec<OwnedFd>,
}

/// What became of a request.
#[derive(Debug)]
pub enum Begun {
    /// A process runs for it; the caller is told its end.
    Runs(Pid),
    /// It is refused; the caller is told why.
    Refused(NotStarted),
    /// Somebody else answers, on a copy of the caller's socket.
    Elsewhere,
}

impl Listener {
    /// Makes the socket at `path`; it appears there once it takes callers. Only who may write it can connect: its
    /// owner, which is the account, if one is given.
    pub fn open(path: &Path, account: Option<&Account>) -> io::Result<Listener> {
        let name = path.file_name().unwrap_or_default().display();
        let new = path.with_file_name(format!(".new{name}"));
        let _ = fs::remove_file(&new);
        let (socket, address, _folder) = socket_at(&new, SocketFlags::NONBLOCK)?;
        bind(&socket, &address)?;
        if let Some(account) = account {
            account.give(&new)?;
        }
        listen(&socket, BACKLOG)?;
        fs::rename(&new, path)?;
        Ok(Listener {
            socket,
            path: path.to_owned(),
            links: Vec::new(),
            callers: Vec::new(),
            most: most(),
        })
    }

    /// Has the socket found at another path of the same directory too, from now on.
    pub fn link(&mut self, other: &Path) -> io::Result<()> {
        let _ = fs::remove_file(other);
        symlink(self.path.file_name().unwrap_or_default(), other)?;
        self.links.push(other.to_owned());
        Ok(())
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let callers = self.callers.iter().map(|caller| caller.socket.as_fd());
        let more = self.callers.len() < self.most;
        more.then(|| self.socket.as_fd()).into_iter().chain(callers)
    }

    /// Takes what has come; `begin` begins a request, and is shown the caller's socket. Says for which processes
    /// nobody waits any more: their callers have hung up.
    pub fn step(&mut self, mut begin: impl FnMut(Request, &OwnedFd) -> Begun) -> Vec<Pid> {
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
            caller.step(&mut begin);
        }
        let gone = self.callers.extract_if(.., |caller| caller.gone);
        gone.filter_map(|caller| caller.pid).collect()
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
        for path in self.links.iter().chain([&self.path]) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Caller {
    fn step(&mut self, begin: &mut impl FnMut(Request, &OwnedFd) -> Begun) {
        let longest = match self.pid {
            None => LONGEST,
            Some(_) => 0,
        };
        match receive(&self.socket, longest) {
            Ok(Some(request)) if self.pid.is_none() => match begin(request, &self.socket) {
                Begun::Runs(pid) => self.pid = Some(pid),
                Begun::Refused(why) => {
                    self.answer(why.exit_code, &why.error.message);
                    self.gone = true;
                }
                Begun::Elsewhere => self.gone = true,
            },
            Err(Errno::AGAIN | Errno::INTR) => {}
            // It went away, or says what nobody should.
            Ok(_) | Err(_) => self.gone = true,
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

/// The next message: a request of at most `longest` bytes, or `None` when it is none or the caller is gone.
fn receive(socket: &OwnedFd, longest: usize) -> Result<Option<Request>, Errno> {
    let mut text = vec![0; longest + 1];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
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
    Ok(String::from_utf8(text)
        .ok()
        .filter(|text| !text.is_empty() && text.len() <= longest && !text.contains('\0'))
        .map(|text| Request { text, streams }))
}
