//! Pipes and terminals, read and written without a thread.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// A descriptor whose readiness can be awaited.
#[expect(
    deprecated,
    reason = "it is unsound for a type that lies about its descriptor; what takes its place is unsafe for all of them"
)]
pub fn watched(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, interest)
}

/// Our end of a pipe, or of a terminal.
#[derive(Debug)]
pub struct End(AsyncFd<OwnedFd>);

impl End {
    /// Takes a descriptor over; from now on it never waits.
    pub fn new(descriptor: OwnedFd, interest: Interest) -> io::Result<End> {
        fcntl_setfl(&descriptor, fcntl_getfl(&descriptor)? | OFlags::NONBLOCK)?;
        Ok(End(watched(descriptor, interest)?))
    }

    /// What comes next; nothing at the end.
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; PIECE];
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|end| Ok(rustix::io::read(end, &mut piece[..])?)) {
                Ok(Ok(length)) => {
                    piece.truncate(length);
                    return Ok(piece);
                }
                // A terminal whose other end nobody holds any more.
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    return Ok(Vec::new());
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_not_yet) => {}
            }
        }
    }

    /// Writes some of it; nothing when it is cancelled.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let mut ready = self.0.writable().await?;
            match ready.try_io(|end| Ok(rustix::io::write(end, bytes)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => return written,
                Err(_not_yet) => {}
            }
        }
    }
}

/// A pipe that we write: our end, and the one to read.
pub fn to_write() -> io::Result<(End, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((End::new(write, Interest::WRITABLE)?, read))
}

/// A pipe that we read: our end, and the one to write.
pub fn to_read() -> io::Result<(End, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((End::new(read, Interest::READABLE)?, write))
}
