//! A directory to mount on, reached without following links.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, chownat, mkdirat, open, openat2,
    statx,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use crate::isolation::Account;

/// An open directory or file.
#[derive(Debug)]
pub struct Target(OwnedFd);

impl Target {
    /// Opens the directory, and makes it with those above it where they are missing. New ones are the account's, who
    /// else could not delete what holds them.
    pub fn make(root: &Path, beneath: &Path, account: Option<&Account>) -> io::Result<Target> {
        let mut at = openat2(CWD, root, FLAGS, Mode::empty(), ResolveFlags::empty())?;
        for component in beneath.components() {
            let Component::Normal(name) = component else {
                return Err(io::ErrorKind::InvalidInput.into());
            };
            let is_new = match mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(error.into()),
            };
            let follow = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
            at = openat2(&at, name, FLAGS, Mode::empty(), follow)?;
            if let Some(account) = account.filter(|_| is_new) {
                give(&at, account);
            }
        }
        Ok(Target(at))
    }

    /// Opens what is there, a file too, as the system finds it.
    pub fn found(path: &Path) -> io::Result<Target> {
        Ok(Target(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens a directory that is there, by a path without links.
    pub fn existing(path: &Path) -> io::Result<Target> {
        let opened = openat2(CWD, path, FLAGS, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
        Ok(Target(opened))
    }

    /// Opens a directory that is there, as the system finds it. It is not asked for anything.
    pub fn directory(path: &Path) -> io::Result<Target> {
        Ok(Target(open(path, FLAGS, Mode::empty())?))
    }

    /// A path to it that holds as long as this is open, whatever covers it meanwhile.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// Whether something is mounted on it.
    pub fn is_mounted(&self) -> io::Result<bool> {
        // What the kernel knows is enough: a server that hangs is not asked.
        let known = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let found = statx(self.0.as_fd(), c"", known, StatxFlags::empty())?;
        Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }
}

/// A volume in which it lies may know no owners, and is mounted on all the same.
fn give(directory: &OwnedFd, account: &Account) {
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let _ = chownat(directory, c"", Some(uid), Some(gid), AtFlags::EMPTY_PATH);
}

const FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn directories_are_made_and_links_are_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().join("root");
        fs::create_dir_all(root.join("a")).unwrap();
        symlink(base.path(), root.join("out")).unwrap();
        let target = Target::make(&root, Path::new("a/b"), None).unwrap();
        assert!(root.join("a/b").is_dir());
        assert!(!target.is_mounted().unwrap());
        for bad in ["out", "out/x", "../x"] {
            assert!(Target::make(&root, Path::new(bad), None).is_err(), "{bad}");
        }
        assert!(!base.path().join("x").exists());
    }
}
