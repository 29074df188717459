//! Directories and files, before anything is started.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use trainyard_domain::state::BatchAiError;

use crate::isolation::Account;
use crate::volume::unmount;

/// Code for a directory or file of the job that could not be made.
pub const ENVIRONMENT_FAILED: &str = "JobEnvironmentFailed";

/// Makes directories with those above them.
pub fn make_all(directories: &[String]) -> Result<(), BatchAiError> {
    directories.iter().try_for_each(|path| {
        fs::create_dir_all(path).map_err(|error| environment_failure("directory", path, &error))
    })
}

/// Makes a directory that all nodes of a job share; it is the account's as which they run, if there is one. Each of
/// them does so, and any may come first.
pub fn make_shared(path: &str, account: Option<&Account>) -> Result<(), BatchAiError> {
    let given = || account.map_or(Ok(()), |account| account.give(Path::new(path)));
    fs::create_dir_all(path)
        .and_then(|()| given())
        .map_err(|error| environment_failure("directory", path, &error))
}

/// Writes small files.
pub fn write_all(files: &BTreeMap<String, String>) -> Result<(), BatchAiError> {
    files.iter().try_for_each(|(path, content)| {
        let parent = Path::new(path).parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(path, content))
            .map_err(|error| environment_failure("file", path, &error))
    })
}

/// Opens a file to append to, made if missing. It never waits, as opening a pipe does until somebody reads it: a job may
/// have put one there. Neither do writes to what comes back.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new()
        .append(true)
        .create(true)
        .custom_flags(flags)
        .open(path)
}

fn environment_failure(kind: &str, path: &str, error: &io::Error) -> BatchAiError {
    let message = format!("The {kind} {path} could not be made. Check that its volume can be written.");
    failure(ENVIRONMENT_FAILED, message, path, &error.to_string())
}

fn failure(code: &str, message: String, path: &str, why: &str) -> BatchAiError {
    BatchAiError {
        code: code.to_owned(),
        message,
        details: vec![
            ("path".to_owned(), path.to_owned()),
            ("Info".to_owned(), why.to_owned()),
        ],
    }
}

/// Moves a directory into the trash, where [`empty_trash`] finds it. Deleting may take long, moving does not.
pub fn discard(directory: &Path, trash: &Path) -> io::Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    // What lies beneath a mount is somebody's data and no job's directory.
    if !unmount::clear(directory) {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    fs::create_dir_all(trash)?;
    let mut number = 0_u64;
    let target = loop {
        let target: PathBuf = trash.join(number.to_string());
        if !target.exists() {
            break target;
        }
        number += 1;
    };
    fs::rename(directory, target).or_else(|_| delete(directory))
}

/// Deletes the trash on a thread of its own.
pub fn empty_trash(trash: &Path) {
    let trash = trash.to_owned();
    if trash.exists() {
        // There may be no room for a thread: the next attempt tries again.
        let deleting = std::thread::Builder::new().spawn(move || delete(&trash));
        if let Err(error) = deleting {
            crate::say(format_args!("old directories stay for now: {error}"));
        }
    }
}

/// Deletes a directory. An account without rights deletes nothing in a directory of its own that it may not write, as
/// caches of packages are: then it is made writable first.
fn delete(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(directory);
            fs::remove_dir_all(directory)
        }
        done => done,
    }
}

fn open_up(directory: &Path) {
    if !fs::symlink_metadata(directory).is_ok_and(|found| found.is_dir()) {
        return;
    }
    let _ = fs::set_permissions(directory, fs::Permissions::from_mode(0o700));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.for_each(|entry| open_up(&entry.path()));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_discarded_directory_is_gone_and_links_out_of_it_are_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let kept = base.path().join("kept");
        fs::create_dir_all(&kept).unwrap();
        let job = base.path().join("job");
        fs::create_dir_all(&job).unwrap();
        symlink(&kept, job.join("link")).unwrap();
        let trash = base.path().join("trash");
        discard(&job, &trash).unwrap();
        discard(&job, &trash).unwrap();
        assert!(!job.exists());
        fs::remove_dir_all(&trash).unwrap();
        assert!(kept.exists());
    }
}
