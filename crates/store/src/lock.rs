//! One server per data folder: an advisory lock on `folder/lock` that ends with the process that holds it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::files::PRIVATE;

/// Tries before a lock counts as taken: [`holder`] holds it for an instant when it looks, and a server that
/// has just locked may not have written its process id yet.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Why a data folder could not be locked, or its lock not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another server uses the folder.
    #[error(
        "the data folder {} is in use by the Trainyard server with pid {}; stop it or choose another folder",
        folder.display(), pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
    )]
    Held {
        /// The data folder.
        folder: PathBuf,
        /// The process that holds it, where it said so.
        pid: Option<u32>,
    },
    /// The lock file could not be opened, read or written.
    #[error("the lock file {} cannot be used; check that the folder exists and is writable", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

/// The right to use a data folder, held until dropped or until the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
}

impl FolderLock {
    /// Locks `folder`, which must exist, for this process.
    ///
    /// # Errors
    /// [`LockError::Held`] when another server holds it (also one in this process).
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let failed = |source| LockError::File {
            path: path.clone(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE)
            .open(&path)
            .map_err(failed)?;
        if !try_lock(&file, FlockOperation::NonBlockingLockExclusive).map_err(failed)? {
            return Err(LockError::Held {
                folder: folder.to_owned(),
                pid: read_pid(&file).map_err(failed)?,
            });
        }
        write_pid(&file).map_err(failed)?;
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // The lock ends with the file; the text is only a courtesy to the next reader.
        let _ = self.file.set_len(0);
    }
}

/// The process id of the server that holds `folder` at this moment; `None` when nobody does.
///
/// # Errors
/// [`LockError::Held`] when the folder is locked by a process that left no id, [`LockError::File`] when the
/// lock file cannot be looked at.
pub fn holder(folder: &Path) -> Result<Option<u32>, LockError> {
    let path = folder.join("lock");
    let failed = |source| LockError::File {
        path: path.clone(),
        source,
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if try_lock(&file, FlockOperation::NonBlockingLockShared).map_err(failed)? {
        return Ok(None);
    }
    match read_pid(&file).map_err(failed)? {
        Some(pid) => Ok(Some(pid)),
        None => Err(LockError::Held {
            folder: folder.to_owned(),
            pid: None,
        }),
    }
}

/// Whether the lock was had within a few tries: somebody who only asks who holds it has it for a moment.
#[expect(
    clippy::disallowed_methods,
    reason = "an advisory lock has no event to wait for"
)]
fn try_lock(file: &File, operation: FlockOperation) -> io::Result<bool> {
    for attempt in 0..TRIES {
        match flock(file, operation) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) if attempt + 1 < TRIES => std::thread::sleep(BETWEEN_TRIES),
            Err(Errno::WOULDBLOCK) => {}
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

fn read_pid(mut file: &File) -> io::Result<Option<u32>> {
    let mut text = String::new();
    file.rewind()?;
    file.take(32).read_to_string(&mut text)?;
    Ok(text.trim().parse().ok())
}

fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_lock_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().expect("temporary folder");
        assert_eq!(holder(folder.path()).expect("no lock file yet"), None);

        let first = FolderLock::acquire(folder.path()).expect("free folder");
        assert_eq!(holder(folder.path()).expect("held"), Some(std::process::id()));
        let refused = FolderLock::acquire(folder.path()).expect_err("already locked");
        let pid = std::process::id();
        assert_eq!(
            refused.to_string(),
            format!(
                "the data folder {} is in use by the Trainyard server with pid {pid}; \
                 stop it or choose another folder",
                folder.path().display()
            )
        );

        drop(first);
        assert_eq!(holder(folder.path()).expect("free again"), None);
        FolderLock::acquire(folder.path()).expect("free again");
    }

    #[test]
    fn a_pid_left_by_a_dead_server_holds_nothing() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("lock"), "4194000\n").expect("old lock file");
        assert_eq!(holder(folder.path()).expect("not locked"), None);
        FolderLock::acquire(folder.path()).expect("not locked");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let refused = FolderLock::acquire(&folder.path().join("nowhere")).expect_err("no such folder");
        assert!(refused.to_string().contains("nowhere/lock"), "{refused}");
    }
}
