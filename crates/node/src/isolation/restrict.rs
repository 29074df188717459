//! What jobs can leave behind at a mount.

use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, mount_remount};

use crate::mountinfo;

/// Options of mounts that stay.
const KEPT: [(&str, MountFlags); 5] = [
    ("ro", MountFlags::RDONLY),
    ("noexec", MountFlags::NOEXEC),
    ("noatime", MountFlags::NOATIME),
    ("nodiratime", MountFlags::NODIRATIME),
    ("relatime", MountFlags::RELATIME),
];

/// Has what is mounted at `path` open no device and give nobody another user's rights. Its other options stay, and
/// `more` are added. Whoever serves it is not asked for anything.
pub fn restrict(path: &Path, more: MountFlags) -> io::Result<()> {
    let found = mountinfo::at(path).ok_or(io::ErrorKind::NotFound)?;
    let has = |name: &str| found.options.split(',').any(|option| option == name);
    let kept = KEPT.into_iter().filter(|(name, _)| has(name));
    let kept = kept.fold(more, |all, (_, flag)| all | flag);
    let flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV | kept;
    Ok(mount_remount(path, flags, c"")?)
}
