//! The side that asks a node.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, connect, recvmsg, sendmsg,
};

use super::Request;
use crate::files::Folder;
use crate::remote::{LONGEST, STREAMS, socket_at};

/// Most bytes of an answer: a code and a sentence.
const LONGEST_ANSWER: usize = 1024;

/// What a node answers.
#[derive(Debug)]
pub struct Answer {
    /// The exit code, as a shell says it; 0 for a connection.
    pub code: i32,
    /// Why it could not be done, else empty.
    pub why: String,
    /// The connection.
    pub descriptor: Option<OwnedFd>,
}

/// A connection to a node, for one request. It never waits; its descriptor becomes readable with the answer.
#[derive(Debug)]
pub struct Call(OwnedFd);

impl Call {
    /// Asks a node for something; `streams` go along.
    ///
    /// # Errors
    /// The node does not run, or takes no more callers just now; or the request is too long.
    pub fn start(folder: &Folder, request: &Request, streams: &[BorrowedFd<'_>]) -> io::Result<Call> {
        let text = serde_json::to_vec(request)?;
        if text.len() > LONGEST {
            let why = format!("a request has at most {LONGEST} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let (socket, address, _folder) = socket_at(&folder.login(), SocketFlags::NONBLOCK)?;
        connect(&socket, &address)?;
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !streams.is_empty() && !control.push(SendAncillaryMessage::ScmRights(streams)) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        sendmsg(&socket, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL)?;
        Ok(Call(socket))
    }

    /// The answer; `WouldBlock` while there is none, `UnexpectedEof` when none will come.
    ///
    /// # Errors
    /// See above.
    pub fn answer(&self) -> io::Result<Answer> {
        let mut text = [0; LONGEST_ANSWER];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&self.0, &mut [IoSliceMut::new(&mut text)], &mut control, flags)?;
        let descriptor = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        let text = text.get(..received.bytes).unwrap_or_default();
        let (code, why) = text.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Answer {
            code: i32::from_le_bytes(*code),
            why: String::from_utf8_lossy(why).into_owned(),
            descriptor,
        })
    }
}

impl AsFd for Call {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
