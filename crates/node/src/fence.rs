//! Which processes belong to the attempt, and the end of them all, those too that made themselves
//! independent.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, kill_process, waitid};

use crate::cgroup::Cgroup;
use crate::machine::{processes, stat};

/// Variable by which a process is known as one of ours: `{node's folder}:{attempt or "setup"}`.
pub const MARK: &str = "TRAINYARD_PLACEMENT";

/// Keeps the processes of an attempt together.
#[derive(Debug)]
pub enum Fence {
    /// By cgroup.
    Cgroup {
        /// The node's.
        cgroup: Cgroup,
        /// The mark of the setup task, and of what the node runs for itself.
        setup: String,
    },
    /// By descent from this process, which adopts orphans (child subreaper), and by the mark. What the
    /// setup task left running is marked as such and stays outside.
    Descent {
        /// The mark of the setup task, and of what the node runs for itself.
        setup: String,
    },
}

impl Fence {
    /// Processes of the attempt that `mark` names.
    pub fn members(&self, mark: &str) -> Vec<Pid> {
        match self {
            Fence::Cgroup { cgroup, .. } => cgroup.members(),
            Fence::Descent { setup } => descendants(mark, setup),
        }
    }

    /// Does something, such as starting a program of the node's own, so that what it starts belongs to no attempt. It
    /// is given the mark for such programs.
    pub fn outside<T>(&self, what: impl FnOnce(&str) -> io::Result<T>) -> io::Result<T> {
        match self {
            Fence::Cgroup { cgroup, setup } => cgroup.outside(|| what(setup)),
            Fence::Descent { setup } => what(setup),
        }
    }

    /// Sends a signal to each.
    pub fn signal(&self, mark: &str, signal: Signal) {
        signal_all(&self.members(mark), signal);
    }

    /// Kills them all. What is left can only be seen by looking again.
    pub fn kill(&self, mark: &str) {
        if let Fence::Cgroup { cgroup, .. } = self {
            match cgroup.kill() {
                Ok(()) => return,
                Err(error) => crate::say(format_args!("cgroup.kill failed, killing one by one: {error}")),
            }
        }
        signal_all(&self.members(mark), Signal::KILL);
    }
}

/// Sends a signal to each; one that is gone meanwhile needs none.
pub fn signal_all(pids: &[Pid], signal: Signal) {
    for pid in pids {
        let _ = kill_process(*pid, signal);
    }
}

fn descendants(mark: &str, setup: &str) -> Vec<Pid> {
    let probe = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // Whatever an attempt started descends from the node: without children there is nothing to look for.
    if waitid(WaitId::All, probe).is_err_and(|error| error == rustix::io::Errno::CHILD) {
        return Vec::new();
    }
    let parents: BTreeMap<i32, i32> = processes()
        .into_iter()
        .filter_map(|pid| Some((pid.as_raw_pid(), stat(pid).filter(|s| !s.zombie)?.parent)))
        .collect();
    let me = getpid().as_raw_pid();
    let descends = |pid: i32| {
        let mut at = pid;
        // Pids may be reused while we look: a chain longer than the list is no chain.
        for _ in 0..=parents.len() {
            match parents.get(&at) {
                Some(&parent) if parent == me => return true,
                Some(&parent) => at = parent,
                None => return false,
            }
        }
        false
    };
    parents
        .keys()
        .filter(|&&pid| pid != me)
        .filter(|&&pid| match mark_of(pid) {
            Some(found) if found == mark => true,
            Some(found) if found == setup => false,
            Some(_) | None => descends(pid),
        })
        .filter_map(|&pid| Pid::from_raw(pid))
        .collect()
}

/// The mark in the environment that a process was started with.
pub fn mark_of(pid: i32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

/// The mark of what a node runs; `what` is the attempt or `setup`.
pub fn mark(folder: &Path, what: &str) -> String {
    format!("{}:{what}", folder.display())
}
