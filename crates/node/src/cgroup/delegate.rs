//! What jobs may do in cgroup namespaces of their own.
//!
//! A job of root can make a namespace of users, and in it one of cgroups and a mount of the v2 tree, with the directory
//! in which it stands as the top. The node stands there too: a job that freezes it would never be stopped. With the option
//! `nsdelegate`, which systemd gives on its machines, the top of a namespace takes no such orders from within.

use std::ffi::CString;
use std::fs;

use rustix::mount::{MountFlags, mount_remount};

const OPTION: &str = "nsdelegate";

/// Options of one mount alone, which a change of the whole tree must not change.
const OF_MOUNT: [(&str, MountFlags); 6] = [
    ("nosuid", MountFlags::NOSUID),
    ("nodev", MountFlags::NODEV),
    ("noexec", MountFlags::NOEXEC),
    ("noatime", MountFlags::NOATIME),
    ("nodiratime", MountFlags::NODIRATIME),
    ("relatime", MountFlags::RELATIME),
];

/// A mount of the v2 tree that lacks the option.
#[derive(Debug, PartialEq, Eq)]
struct Lacking {
    at: String,
    flags: MountFlags,
    options: String,
}

impl Lacking {
    /// From the text of `/proc/self/mountinfo`. One that cannot be written is not changed.
    fn of(mounts: &str) -> Option<Lacking> {
        let unified = mounts.lines().find_map(|line| {
            let (left, right) = line.split_once(" - cgroup2 ")?;
            Some((left, right.rsplit_once(' ')?.1))
        });
        let (left, all) = unified?;
        let mut left = left.split(' ').skip(4);
        let (at, own) = (left.next()?, left.next()?);
        let has = |options: &str, name: &str| options.split(',').any(|option| option == name);
        if at.contains('\\') || has(all, OPTION) || !has(own, "rw") || !has(all, "rw") {
            return None;
        }
        let kept = OF_MOUNT.into_iter().filter(|(name, _)| has(own, name));
        let options = all.split(',').filter(|option| *option != "rw").chain([OPTION]);
        Some(Lacking {
            at: at.to_owned(),
            flags: kept.fold(MountFlags::empty(), |flags, (_, flag)| flags | flag),
            options: options.collect::<Vec<_>>().join(","),
        })
    }
}

/// Gives the v2 tree the option, where this machine lets it.
pub fn close_tops() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Some(lacking) = Lacking::of(&mounts) else {
        return;
    };
    if let Ok(options) = CString::new(lacking.options) {
        let _ = mount_remount(lacking.at, lacking.flags, options.as_c_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_the_option_gets_it_beside_those_it_has() {
        let mounts = "\
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,nosuid,noexec,relatime shared:9 - cgroup2 cgroup2 rw,memory_recursiveprot";
        let expected = Lacking {
            at: "/sys/fs/cgroup/unified".to_owned(),
            flags: MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::RELATIME,
            options: "memory_recursiveprot,nsdelegate".to_owned(),
        };
        assert_eq!(Lacking::of(mounts), Some(expected));
    }

    #[test]
    fn trees_that_have_it_or_cannot_be_written_stay_as_they_are() {
        for mounts in [
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate",
            "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw",
            "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
            "",
        ] {
            assert_eq!(Lacking::of(mounts), None, "{mounts}");
        }
    }
}
