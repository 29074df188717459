//! The end of what a dead node left running.

use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::cgroup;
use crate::container;
use crate::fence::mark_of;
use crate::machine::{processes, stat};
use crate::volume::keep;

/// Kills what the dead node in `folder` left, found by its cgroup and by the mark in the environment. True
/// when nothing was found any more; else call it again in a moment.
pub fn sweep(folder: &Path, cgroup: Option<&Path>) -> bool {
    // A node that was killed before its first status has not said where in the tree it is.
    let mut homes = cgroup.map_or_else(|| cgroup::homes(folder), |home| vec![home.to_owned()]);
    homes.extend(cgroup::separate_homes(folder));
    let fence_empty = homes.iter().filter(|home| !cgroup::end(home)).count() == 0;
    let prefix = format!("{}:", folder.display());
    let marked: Vec<Pid> = processes()
        .into_iter()
        .filter(|pid| mark_of(pid.as_raw_pid()).is_some_and(|mark| mark.starts_with(&prefix)))
        .filter(|pid| stat(*pid).is_some_and(|stat| !stat.zombie))
        .collect();
    for pid in &marked {
        kill_marked(*pid, &prefix);
    }
    // What is still mounted must not be deleted with the folder, so the node is not gone before it is taken away. It is
    // when what served it has ended.
    fence_empty && marked.is_empty() && container::sweep(folder) && keep::sweep(folder)
}

/// Kills the process only if it still is the marked one: its number may have been given out again.
fn kill_marked(pid: Pid, prefix: &str) {
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if mark_of(pid.as_raw_pid()).is_some_and(|mark| mark.starts_with(prefix)) {
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
}
