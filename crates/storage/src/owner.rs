//! Whose new directories are.

use std::path::Path;

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, CWD, Gid, Uid, chownat};
use rustix::io::Result;

/// An account of the machine, as which jobs run that is not the server's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
}

impl Owner {
    /// Makes an open directory its own.
    pub(crate) fn give(self, directory: impl AsFd) -> Result<()> {
        self.change(directory, Path::new(""), AtFlags::EMPTY_PATH)
    }

    /// Makes a directory its own; a link is not followed.
    pub(crate) fn give_at(self, path: &Path) -> Result<()> {
        self.change(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
    }

    fn change(self, at: impl AsFd, path: &Path, flags: AtFlags) -> Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        chownat(at, path, Some(uid), Some(gid), flags)
    }
}
