//! The node's place in the cgroup v2 tree, where there is one that can be used.
//!
//! The node has a directory `trainyard/{folder}/{node}` and in it `node` and `job/main`. Once its setup is done it moves
//! itself from one to the other: whatever it starts from then on is born there, at no cost. (Moving each process would
//! cost a millisecond.) One attempt runs at a time and ends only when `job` holds nothing but the node, so
//! one directory serves all attempts. To kill, the node steps back into `node` for a moment.
//!
//! Only the innermost directories hold processes: so the others may hand controllers down, as the runtimes of containers
//! ask for, who make theirs beside `job/main`. All of it together stays within the node's limits ([`Limits`]).

mod count;
mod delegate;
mod limits;
mod support;
mod tree;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

pub use count::{Before, Since};
pub use limits::Limits;
pub use support::{Held, Lack, Support, prepare, support};
pub use tree::Controller;
use tree::Trees;

/// Directory of all of Trainyard's, in every tree.
const OURS: &str = "trainyard";
/// Where a node goes that leaves, if it may not stand above its directory.
const LEAVING: &str = "leaving";

/// Directories of this node in the tree.
#[derive(Debug, Clone)]
pub struct Cgroup {
    home: PathBuf,
}

impl Cgroup {
    /// Makes the node's directories and moves this process in. `None` where there is no tree, it may not be
    /// written, or its kernel lacks `cgroup.kill`.
    pub fn enter(folder: &Path) -> Option<Cgroup> {
        homes(folder).into_iter().find_map(|home| {
            let cgroup = Cgroup { home };
            // Another node of the same folder may be removing its last traces just now: once more, then.
            let made = (0..3).any(|_| {
                fs::create_dir_all(cgroup.main()).is_ok() && fs::create_dir_all(cgroup.idle()).is_ok()
            });
            if made && cgroup.job().join("cgroup.kill").exists() && cgroup.begin().is_ok() {
                Some(cgroup)
            } else {
                remove(&cgroup.home);
                None
            }
        })
    }

    /// The node's directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    fn job(&self) -> PathBuf {
        self.home.join("job")
    }

    /// Where what the attempt starts is born.
    fn main(&self) -> PathBuf {
        self.job().join("main")
    }

    /// Where the node stands while no attempt may begin.
    fn idle(&self) -> PathBuf {
        self.home.join("node")
    }

    /// Moves in; the controllers come down to the node's directory where the server has them come so far.
    fn begin(&self) -> io::Result<()> {
        if let Some(all) = self.home.parent() {
            support::hand_down(all);
        }
        enter(&self.idle())
    }

    /// From here on everything that the node starts belongs to an attempt.
    pub fn begin_jobs(&self) -> io::Result<()> {
        enter(&self.main())
    }

    /// Processes of the attempt.
    pub fn members(&self) -> Vec<Pid> {
        let me = getpid();
        let mut members = pids(&self.job());
        members.retain(|pid| *pid != me);
        members
    }

    /// Kills all processes of the attempt at once, those too that are just being born.
    pub fn kill(&self) -> io::Result<()> {
        self.outside(|| fs::write(self.job().join("cgroup.kill"), "1"))
    }

    /// Does something while this process stands beside the attempt: what it starts then does not belong to that.
    pub fn outside<T>(&self, what: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        enter(&self.idle())?;
        let done = what();
        enter(&self.main())?;
        done
    }
}

/// Kills everything in and below a node's directory. True when nothing is left; the directories are removed
/// then.
pub fn end(home: &Path) -> bool {
    if !home.exists() {
        remove(home);
        return true;
    }
    let killed = fs::write(home.join("cgroup.kill"), "1");
    let left = pids(home);
    if left.is_empty() {
        remove(home);
    } else if killed.is_err() {
        left.iter().for_each(|pid| kill_in(home, *pid));
    }
    left.is_empty()
}

/// Where the kernel does not do it, in v1. Only if the process still is there: its number may have been given out again.
fn kill_in(home: &Path, pid: Pid) {
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if pids(home).contains(&pid) {
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
}

/// Takes this process out of the node's directories, so that they can be ended and removed.
pub fn step_out(home: &Path) {
    let Some(all) = home.parent() else { return };
    // A directory that hands controllers down takes no process.
    let left = enter(all).or_else(|_| {
        let leaving = all.with_file_name(LEAVING);
        let _ = fs::create_dir(&leaving);
        enter(&leaving)
    });
    if let Err(error) = left {
        crate::say(format_args!("cannot leave {}: {error}", home.display()));
    }
}

/// Removes the directories of a node, and that of its folder when no other node uses it. The one named
/// `trainyard` stays.
fn remove(home: &Path) {
    remove_empty(home);
    if let Some(all) = home.parent() {
        let _ = fs::remove_dir(all);
    }
}

/// Removes what is empty at and below a directory. (The files there are the kernel's.)
pub(crate) fn remove_empty(directory: &Path) {
    below(directory).iter().for_each(|one| remove_empty(one));
    let _ = fs::remove_dir(directory);
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.path()).collect()
}

/// Where the directories of the node in `folder` may lie in the v2 tree.
pub fn homes(folder: &Path) -> Vec<PathBuf> {
    let places = Trees::here().unified.into_iter();
    places
        .filter_map(|place| Some(place.join(name(folder)?)))
        .collect()
}

/// Where its directories may lie in v1 trees.
pub fn separate_homes(folder: &Path) -> Vec<PathBuf> {
    limits::homes(folder)
}

/// Where the directories of all nodes in the folder `nodes` may lie in any tree. `nodes` has no links in it.
pub fn shared_directories(nodes: &Path) -> Vec<PathBuf> {
    let name = Path::new(OURS).join(hashed(nodes));
    let trees = Trees::here();
    let places = trees
        .unified
        .into_iter()
        .chain(trees.separate.into_values().flatten());
    places.map(|place| place.join(&name)).collect()
}

/// The name of the directory of the node in `folder`, in every tree.
pub(crate) fn name(folder: &Path) -> Option<PathBuf> {
    let (nodes, node) = (folder.parent()?, folder.file_name()?);
    Some(Path::new(OURS).join(hashed(nodes)).join(node))
}

fn hashed(nodes: &Path) -> String {
    format!("{:016x}", fnv(nodes.as_os_str().as_encoded_bytes()))
}

fn enter(directory: &Path) -> io::Result<()> {
    fs::write(directory.join("cgroup.procs"), "0")
}

/// Those of directories below it too: a container has one of its own.
fn pids(directory: &Path) -> Vec<Pid> {
    let mut all = own_pids(directory);
    all.extend(below(directory).iter().flat_map(|one| pids(one)));
    all
}

fn own_pids(directory: &Path) -> Vec<Pid> {
    fs::read_to_string(directory.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
        .collect()
}

/// FNV-1a: a short name for a path that is the same in every version.
pub fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_never_change() {
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
