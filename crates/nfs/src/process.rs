//! The NFS server as a process of ours.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::holder;

/// It runs until it is known to have ended.
#[derive(Debug)]
pub struct Process {
    child: Child,
    handle: OwnedFd,
}

/// Its files.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// What it reads.
    pub configuration: &'a Path,
    /// What it writes.
    pub log: &'a Path,
    /// What it locks.
    pub pid: &'a Path,
}

impl Process {
    /// Starts it.
    pub fn start(program: &Path, files: Files<'_>) -> io::Result<Process> {
        let log = OpenOptions::new().append(true).create(true).open(files.log)?;
        #[expect(clippy::disallowed_methods, reason = "this room looks after the process")]
        let mut command = Command::new(program);
        let mut child = command
            .arg("-F")
            .arg("-f")
            .arg(files.configuration)
            .arg("-L")
            .arg(files.log)
            .arg("-p")
            .arg(files.pid)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            // Whoever may speak on the system's bus could change exports by it.
            .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(handle) => Ok(Process { child, handle }),
            Err(errno) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(errno.into())
            }
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Becomes readable at its end.
    pub fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// Has it read its exports anew.
    pub fn read_anew(&self) {
        let _ = pidfd_send_signal(&self.handle, Signal::HUP);
    }

    /// Whether it ends within that time.
    pub fn ends_within(&self, time: Duration) -> bool {
        holder::ends_within(&self.handle, time)
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends it.
    pub fn end(&mut self) {
        if holder::end(&self.handle) {
            let _ = self.child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.end();
        }
    }
}
