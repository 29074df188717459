//! The node's place in the cgroup v2 tree, where there is one that can be used.
//!
//! The node has a directory `trainyard/{folder}/{node}` and in it `job`. Once its setup is done it moves
//! itself into `job`: whatever it starts from then on is born there, at no cost. (Moving each process would
//! cost a millisecond.) One attempt runs at a time and ends only when `job` holds nothing but the node, so
//! one directory serves all attempts. To kill, the node steps out for a moment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getpid};

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
            let made = (0..3).any(|_| fs::create_dir_all(cgroup.job()).is_ok());
            if made && cgroup.job().join("cgroup.kill").exists() && enter(&cgroup.home).is_ok() {
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

    /// From here on everything that the node starts belongs to an attempt.
    pub fn begin_jobs(&self) -> io::Result<()> {
        enter(&self.job())
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
        enter(&self.home)?;
        let done = what();
        enter(&self.job())?;
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
    let _ = fs::write(home.join("cgroup.kill"), "1");
    let empty = pids(home).is_empty();
    if empty {
        remove(home);
    }
    empty
}

/// Takes this process out of the node's directories, so that they can be ended and removed.
pub fn step_out(home: &Path) {
    if let Some(outside) = home.parent()
        && let Err(error) = enter(outside)
    {
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

/// Removes what is empty at and below a directory.
pub(crate) fn remove_empty(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty(&entry.path());
        }
    }
    let _ = fs::remove_dir(directory);
}

/// The name of the directory of the node in `folder`, in every tree.
pub(crate) fn name(folder: &Path) -> Option<PathBuf> {
    let (nodes, node) = (folder.parent()?, folder.file_name()?);
    Some(Path::new("trainyard").join(hashed(nodes)).join(node))
}

fn hashed(nodes: &Path) -> String {
    format!("{:016x}", fnv(nodes.as_os_str().as_encoded_bytes()))
}

/// Where the directories of the node in `folder` may lie in the tree.
pub fn homes(folder: &Path) -> Vec<PathBuf> {
    let (Some(nodes), Some(node)) = (folder.parent(), folder.file_name()) else {
        return Vec::new();
    };
    let all = shared_directories(nodes).into_iter();
    all.map(|all| all.join(node)).collect()
}

/// Where the directories of all nodes in the folder `nodes` may lie in the tree. `nodes` has no links in it.
pub fn shared_directories(nodes: &Path) -> Vec<PathBuf> {
    let name = hashed(nodes);
    let places = roots().into_iter();
    places.map(|root| root.join("trainyard").join(&name)).collect()
}

fn enter(directory: &Path) -> io::Result<()> {
    fs::write(directory.join("cgroup.procs"), "0")
}

/// Those of directories below it too: a container has one of its own.
fn pids(directory: &Path) -> Vec<Pid> {
    let below = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut all: Vec<Pid> = below.flat_map(|entry| pids(&entry.path())).collect();
    all.extend(own_pids(directory));
    all
}

fn own_pids(directory: &Path) -> Vec<Pid> {
    fs::read_to_string(directory.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| Pid::from_raw(line.parse().ok()?))
        .collect()
}

/// Where a directory could be made: at the top of the tree (root), or where this process is (delegation).
fn roots() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Some(top) = mounts.lines().find_map(mount_point) else {
        return Vec::new();
    };
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .filter(|own| !own.is_empty())
        .map(|own| top.join(own));
    std::iter::once(top.clone()).chain(own).collect()
}

/// The mount point, if the line of mountinfo is that of a cgroup v2 tree. Spaces are written as `\040`
/// there; such a path is not used.
fn mount_point(line: &str) -> Option<PathBuf> {
    let (left, right) = line.split_once(" - ")?;
    let kind = right.split(' ').next()?;
    let path = left.split(' ').nth(4)?;
    (kind == "cgroup2" && !path.contains('\\')).then(|| PathBuf::from(path))
}

/// FNV-1a: a short name for a path that is the same in every version.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_v2_tree_is_taken() {
        let v2 = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(mount_point(v2), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        let v1 = "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids";
        assert_eq!(mount_point(v1), None);
    }

    #[test]
    fn names_of_folders_never_change() {
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
