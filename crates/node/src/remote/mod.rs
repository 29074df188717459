//! Commands that come to a node from the other nodes of its attempt, as MPI launchers send them by SSH.
//!
//! Each node of an attempt has a socket in the directory that the attempt's nodes share ([`listen`]). [`call`] sends
//! a command line there, with its own stdin, stdout and stderr: the command has them for its own, and nothing of what
//! it says goes through the node. The answer is its exit code, and why it did not start, if so.

mod call;
mod listen;
mod ssh;

use std::io;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

pub use call::{CallError, call};
pub(crate) use call::{ask, tell};
pub(crate) use listen::{Begun, Listener, Request, STREAMS};
pub use ssh::{Place, ssh};

use crate::look::OpenFolder;

/// Longest request, in bytes: Linux starts nothing with a longer argument.
pub(crate) const LONGEST: usize = 128 * 1024;

/// A socket that keeps the bounds of messages, and its address: short, though the path may be long.
pub(crate) fn socket_at(
    path: &Path,
    flags: SocketFlags,
) -> io::Result<(OwnedFd, SocketAddrUnix, OpenFolder)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let folder = OpenFolder::open(parent)?;
    let address = SocketAddrUnix::new(folder.entry(name))?;
    let flags = flags | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    Ok((socket, address, folder))
}
