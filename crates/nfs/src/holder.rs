//! Which process is ours: the one that has the lock on the pid file.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Flock, FlockType, Pid, PidfdFlags, Signal, fcntl_getlk, pidfd_open, pidfd_send_signal,
};

/// How long the program may take to end by itself, and then to be gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often is looked again when holders change under our eyes.
const LOOKS: u32 = 5;

/// The process with the lock, and a handle that means no other; `None` where nobody has it.
pub fn holder(pid_file: &Path) -> io::Result<Option<(Pid, OwnedFd)>> {
    let file = match OpenOptions::new().read(true).write(true).open(pid_file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let locked_by = || -> io::Result<Option<Pid>> {
        let lock = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))?;
        Ok(lock.and_then(|lock| lock.pid))
    };
    for _ in 0..LOOKS {
        let Some(pid) = locked_by()? else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            // It has the lock still, so the handle is that process's and no later one's.
            Ok(handle) if locked_by()? == Some(pid) => return Ok(Some((pid, handle))),
            Ok(_) | Err(Errno::SRCH) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(io::Error::other("its lock changes hands too fast"))
}

/// Ends it, by force where it takes long. True when it is gone.
pub fn end(handle: &OwnedFd) -> bool {
    for signal in [Signal::TERM, Signal::KILL] {
        let told = pidfd_send_signal(handle, signal);
        if told == Err(Errno::SRCH) || ends_within(handle, PATIENCE) {
            return true;
        }
    }
    false
}

/// Whether it ends within that time.
pub fn ends_within(handle: &OwnedFd, time: Duration) -> bool {
    let mut descriptors = [PollFd::new(handle, PollFlags::IN)];
    poll(&mut descriptors, Some(&timespec(time))).is_ok_and(|ready| ready > 0)
}

/// For `poll`.
pub fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_file_or_a_lock_there_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        assert!(holder(&file).unwrap().is_none());
        std::fs::write(&file, "1\n").unwrap();
        assert!(holder(&file).unwrap().is_none(), "what it says means nothing");
    }
}
