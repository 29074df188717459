//! Folders that stand for file servers.
//!
//! All of them lie in one root directory, each under a random name that is never used again. One that is no
//! longer wanted is first renamed to `trainyard.gone-…`, which takes no time, and then deleted bit by bit; what a
//! crash leaves of it is found by that name. Nothing else in the root is ever deleted: it may be a directory that
//! holds other things of the operator's, hence a name that nobody else gives.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::names::BadName;
use crate::{Owner, RelativePath, beneath};

/// The root is for the server's own user alone; nodes show what is in it.
const ROOT_MODE: u32 = 0o700;
/// As directories on shares have it; the root closes them to others. They belong to the user as which jobs run.
const FOLDER_MODE: u32 = 0o755;
/// What the names of folders begin with that are to be deleted. No [`FolderName`] has a dot.
const GONE: &str = "trainyard.gone-";

/// The name of a file server's folder: 1 to 64 lower-case letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FolderName(String);

impl FolderName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`BadName`] for any other text.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=64).contains(&name.len()) && name.bytes().all(legal) {
            return Ok(Self(name.to_owned()));
        }
        Err(BadName::new(
            "the name of a file server's folder",
            name,
            "1 to 64 lower-case letters, digits and '-'",
        ))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a file server's folder cannot be used. Texts name no path of the machine and can be shown to users.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not there, or no directory.
    #[error("its folder is missing on the server: put it back, or delete the file server")]
    Missing,
    /// `sourceDirectory`, or a part of it, is something else.
    #[error("sourceDirectory {0:?} is not a directory of it: name one, or a new one")]
    NotADirectory(String),
    /// A link on the way leads out of the folder.
    #[error("a link in sourceDirectory {0:?} leads out of its folder: name a directory without such links")]
    Outside(String),
    /// The file system failed.
    #[error("{doing} its folder failed on the server: its file system must be looked at")]
    Io {
        /// What was done: "making" or "opening".
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The folders of all file servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FileServers {
    root: Arc<PathBuf>,
    owner: Option<Owner>,
    sweeping: Arc<Mutex<Sweeping>>,
}

/// Whether a thread deletes what is gone.
#[derive(Debug, Default, PartialEq, Eq)]
enum Sweeping {
    #[default]
    Nobody,
    /// One does.
    Somebody,
    /// One does, and another was asked to: it looks once more.
    SomebodyAgain,
}

impl FileServers {
    /// File servers whose folders lie in `root`. It is made with the first of them, for its owner only; one
    /// that is there is left as it is.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root: Arc::new(root),
            owner: None,
            sweeping: Arc::default(),
        }
    }

    /// The same, with new folders that belong to `owner`, where it is not this process's user as which jobs run.
    #[must_use]
    pub fn owned_by(self, owner: Option<Owner>) -> Self {
        Self { owner, ..self }
    }

    /// Where a folder lies.
    #[must_use]
    pub fn path(&self, name: &FolderName) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// Makes a new empty folder. When this returns it is on the disk.
    ///
    /// # Errors
    /// [`FolderError::Io`], also where something has that name.
    pub fn make(&self, name: &FolderName) -> Result<(), FolderError> {
        let make = || {
            if !self.root.is_dir() {
                DirBuilder::new()
                    .recursive(true)
                    .mode(ROOT_MODE)
                    .create(&*self.root)?;
                File::open(self.root.parent().unwrap_or(Path::new("/")))?.sync_all()?;
            }
            DirBuilder::new().mode(FOLDER_MODE).create(self.path(name))?;
            if let Some(owner) = self.owner {
                owner.give_at(&self.path(name))?;
            }
            File::open(&*self.root)?.sync_all()
        };
        make().map_err(|source| FolderError::Io {
            doing: "making",
            source,
        })
    }

    /// Removes a folder that was made for nothing. One that holds anything stays.
    pub fn unmake(&self, name: &FolderName) {
        // What stays is found and logged at the next start.
        let _ = fs::remove_dir(self.path(name));
    }

    /// The real path, without links, of the directory `source` in a folder, made where it is missing; that of
    /// the folder itself where `source` is its root.
    ///
    /// # Errors
    /// See [`FolderError`]. The folder itself is never made here: where it is missing, its disk may be.
    pub fn directory(&self, name: &FolderName, source: &RelativePath) -> Result<PathBuf, FolderError> {
        let folder = self.open(name).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => FolderError::Missing,
            other => opening(other),
        })?;
        let at = source.to_string();
        make_beneath(&folder, source, self.owner).map_err(|errno| match errno {
            Errno::XDEV | Errno::LOOP => FolderError::Outside(at.clone()),
            Errno::NOTDIR | Errno::NOENT => FolderError::NotADirectory(at.clone()),
            other => opening(other),
        })?;
        let whole = |error: io::Error| FolderError::Io {
            doing: "opening",
            source: error,
        };
        let folder = fs::canonicalize(self.path(name)).map_err(whole)?;
        let real = fs::canonicalize(folder.join(source.as_str())).map_err(whole)?;
        if real.starts_with(&folder) {
            Ok(real)
        } else {
            Err(FolderError::Outside(at))
        }
    }

    /// Opens a folder. The root is the administrator's word: a link there is followed, one in it is not.
    fn open(&self, name: &FolderName) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&*self.root, flags, Mode::empty())?;
        rustix::fs::openat(root, name.as_str(), flags | OFlags::NOFOLLOW, Mode::empty())
    }

    /// Takes a folder away: nobody finds it any more, and [`FileServers::sweep`] deletes it. One that is not
    /// there is gone already. When this returns that is on the disk, so what is wanted may be forgotten.
    ///
    /// # Errors
    /// The system's, such as for a root that cannot be written.
    pub fn set_aside(&self, name: &FolderName) -> io::Result<()> {
        let to = self.root.join(format!("{GONE}{}", name.as_str()));
        match rustix::fs::renameat(CWD, self.path(name), CWD, to) {
            Ok(()) => File::open(&*self.root)?.sync_all(),
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The names of the folders there are, in order; none where there is no root.
    ///
    /// # Errors
    /// The system's.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = self.entries()?;
        names.retain(|name| !name.starts_with(GONE));
        Ok(names)
    }

    /// Folders that are to be deleted, each a directory of its own.
    ///
    /// # Errors
    /// The system's.
    pub fn gone(&self) -> io::Result<Vec<PathBuf>> {
        let names = self.entries()?.into_iter().filter(|name| name.starts_with(GONE));
        let is_folder = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        Ok(names.map(|name| self.root.join(name)).filter(is_folder).collect())
    }

    fn entries(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&*self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Deletes all that was set aside, and what is set aside meanwhile. One thread at a time does; another
    /// call returns at once. Links are removed, never followed. What cannot be deleted is told to `failed` and
    /// stays until the next sweep.
    pub fn sweep(&self, failed: impl Fn(&Path, &io::Error)) {
        {
            let mut state = self.state();
            if *state != Sweeping::Nobody {
                *state = Sweeping::SomebodyAgain;
                return;
            }
            *state = Sweeping::Somebody;
        }
        loop {
            self.delete_gone(&failed);
            let mut state = self.state();
            *state = match *state {
                Sweeping::SomebodyAgain => Sweeping::Somebody,
                Sweeping::Somebody | Sweeping::Nobody => Sweeping::Nobody,
            };
            if *state == Sweeping::Nobody {
                return;
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Sweeping> {
        self.sweeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delete_gone(&self, failed: &impl Fn(&Path, &io::Error)) {
        let entries = match self.entries() {
            Ok(entries) => entries,
            Err(error) => return failed(&self.root, &error),
        };
        for name in entries.iter().filter(|name| name.starts_with(GONE)) {
            let path = self.root.join(name);
            if let Err(error) = fs::remove_dir_all(&path) {
                failed(&path, &error);
            }
        }
    }
}

fn opening(errno: Errno) -> FolderError {
    FolderError::Io {
        doing: "opening",
        source: errno.into(),
    }
}

/// Makes the directories of `path` beneath `folder` that are missing. Links that stay in the folder are
/// followed.
fn make_beneath(folder: &OwnedFd, path: &RelativePath, owner: Option<Owner>) -> rustix::io::Result<()> {
    let mut so_far = RelativePath::root();
    for segment in path.segments() {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let parent = beneath::open(folder, &so_far, flags)?;
        let is_new = match rustix::fs::mkdirat(&parent, segment, Mode::from_raw_mode(FOLDER_MODE)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(errno),
        };
        so_far = RelativePath::trusted(match so_far.as_str() {
            "" => segment.to_owned(),
            before => format!("{before}/{segment}"),
        });
        let made = beneath::open(folder, &so_far, flags)?;
        if let Some(owner) = owner.filter(|_| is_new) {
            owner.give(&made)?;
        }
    }
    Ok(())
}
