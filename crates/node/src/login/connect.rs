//! Connections from a node to where people want to look: a notebook, TensorBoard, another node.

use std::io::{self, IoSlice};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// How long one address of a host may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most connections that are being opened at once.
const MOST: usize = 32;
/// Code of an answer without a connection.
const FAILED: i32 = 1;

/// Counts the threads that open connections.
#[derive(Debug, Default, Clone)]
pub struct Connecting(Arc<AtomicUsize>);

impl Connecting {
    /// Opens a connection on a thread of its own, since it may take long, and answers on `caller`.
    pub fn start(&self, host: String, port: u16, caller: OwnedFd) {
        if self.0.fetch_add(1, Ordering::SeqCst) >= MOST {
            self.0.fetch_sub(1, Ordering::SeqCst);
            return answer(
                &caller,
                Err(io::Error::other("too many connections are being opened")),
            );
        }
        let count = Arc::clone(&self.0);
        // Where there is no thread the caller sees that no answer comes.
        let thread = std::thread::Builder::new().name("connect".to_owned());
        let started = thread.spawn(move || {
            answer(&caller, open(&host, port));
            count.fetch_sub(1, Ordering::SeqCst);
        });
        if started.is_err() {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Opens a connection from where this thread is.
fn open(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn answer(caller: &OwnedFd, opened: io::Result<TcpStream>) {
    let (code, why) = match &opened {
        Ok(_) => (0, String::new()),
        Err(error) => (FAILED, error.to_string()),
    };
    let text = [&i32::to_le_bytes(code), why.as_bytes()].concat();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = opened.as_ref().map(|stream| [stream.as_fd()]);
    if let Ok(descriptors) = &descriptors {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    // Nobody waits any more, if this fails.
    let _ = sendmsg(caller, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL);
}
