//! Listing one level of a directory (behaviour.md section 7, listOutputFiles).

use std::collections::BTreeSet;

use jiff::Timestamp;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat, fstat, statat};
use rustix::io::Errno;

use crate::reading::{len, modified};
use crate::{Accounts, Place, RelativePath, StorageError, beneath};

/// The most entries of one page; it bounds the memory of a listing whatever a job has written.
pub const MAX_PAGE: usize = 1000;

/// Which part of a listing is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    after: Option<String>,
    limit: usize,
}

impl Page {
    /// The entries whose names come after `after` (all for `None`), at most `limit` of them, taken as 1 to
    /// [`MAX_PAGE`].
    #[must_use]
    pub fn new(after: Option<String>, limit: usize) -> Self {
        Self {
            after,
            limit: limit.clamp(1, MAX_PAGE),
        }
    }

    /// Where it begins.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// How many entries it has at most.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }
}

/// One page of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The directory that was listed; join a name to it to open or sign a file.
    pub directory: Place,
    /// Files and directories mixed, sorted bytewise by name, no name twice.
    pub entries: Vec<Entry>,
    /// What to give as `after` for the next page; `None` on the last. A page may hold fewer entries than its
    /// limit, even none, and still have a next one.
    pub next: Option<String>,
}

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The base name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Its length in bytes.
        len: u64,
        /// Its last write.
        modified: Timestamp,
    },
    /// A directory.
    Directory,
}

impl Accounts {
    /// Lists one level of `directory` (`.` for the place itself, `a/b` for one below).
    ///
    /// A directory that does not exist (yet) is empty. Symbolic links are shown as what they point to where
    /// that lies within the share, else left out. Left out as well: pipes, sockets, devices, and names that
    /// are not UTF-8, which JSON cannot carry. Each page reads the directory once.
    ///
    /// # Errors
    /// [`StorageError::BadPath`] for an absolute `directory` or one with `..`; [`StorageError::Outside`],
    /// [`StorageError::NotADirectory`], [`StorageError::Io`].
    pub fn list(&self, place: &Place, directory: &str, page: &Page) -> Result<Listing, StorageError> {
        let directory = place.join(directory)?;
        match self.read_page(&directory, page) {
            Ok((entries, next)) => Ok(Listing {
                directory,
                entries,
                next,
            }),
            Err(Errno::NOENT) => Ok(Listing {
                directory,
                entries: Vec::new(),
                next: None,
            }),
            Err(errno) => Err(StorageError::at(&directory, "listing", errno)),
        }
    }

    fn read_page(&self, place: &Place, page: &Page) -> rustix::io::Result<(Vec<Entry>, Option<String>)> {
        let share = self.open_share(place)?;
        let directory = beneath::open(&share, &place.path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = first_names(&directory, page)?;
        let next = (names.len() > page.limit).then(|| {
            names.pop_last();
            names.last().cloned()
        });
        let level = Level {
            share,
            path: &place.path,
            directory,
        };
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            if let Some(kind) = level.look(&name)? {
                entries.push(Entry { name, kind });
            }
        }
        Ok((entries, next.flatten()))
    }
}

/// The first names after the page's start, one more than its limit where there are more.
fn first_names(directory: &OwnedFd, page: &Page) -> rustix::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else {
            continue;
        };
        let shown = match entry.file_type() {
            FileType::RegularFile | FileType::Directory | FileType::Symlink | FileType::Unknown => true,
            FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice => false,
        };
        if !shown || name == "." || name == ".." || page.after.as_deref().is_some_and(|after| name <= after) {
            continue;
        }
        names.insert(name.to_owned());
        if names.len() > page.limit + 1 {
            names.pop_last();
        }
    }
    Ok(names)
}

/// An opened directory and where it lies in its share.
struct Level<'a> {
    share: OwnedFd,
    path: &'a RelativePath,
    directory: OwnedFd,
}

impl Level<'_> {
    /// What a name stands for; `None` where it is not shown or went away since it was read.
    fn look(&self, name: &str) -> rustix::io::Result<Option<EntryKind>> {
        let status = match statat(self.directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        if FileType::from_raw_mode(status.st_mode) != FileType::Symlink {
            return Ok(kind(&status));
        }
        // Whatever is wrong with a link concerns this entry only.
        let Ok(path) = self.path.join(name) else {
            return Ok(None);
        };
        let target = beneath::open(&self.share, &path, OFlags::PATH).and_then(fstat);
        Ok(target.ok().and_then(|status| kind(&status)))
    }
}

fn kind(status: &Stat) -> Option<EntryKind> {
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => Some(EntryKind::File {
            len: len(status),
            modified: modified(status),
        }),
        FileType::Directory => Some(EntryKind::Directory),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_away_after_it_was_read_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("here")).unwrap();
        let open = || OwnedFd::from(std::fs::File::open(folder.path()).unwrap());
        let level = Level {
            share: open(),
            path: &RelativePath::root(),
            directory: open(),
        };
        assert_eq!(level.look("here").unwrap(), Some(EntryKind::Directory));
        assert_eq!(level.look("gone").unwrap(), None);
    }
}
