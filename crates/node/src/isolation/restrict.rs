//! What jobs can leave behind at a mount.

use std::io;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, mount_remount};

/// What jobs leave at a mount opens no device, and gives nobody another user's rights. The rest of its options stays.
pub fn restrict(path: &Path, more: MountFlags) -> io::Result<()> {
    let options = statvfs(path)?.f_flag;
    let kept = [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let kept = kept.into_iter().filter(|(option, _)| options.contains(*option));
    let kept = kept.fold(more, |all, (_, flag)| all | flag);
    let flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV | kept;
    Ok(mount_remount(path, flags, c"")?)
}
