//! Directories, mounts and files, before anything is started.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use trainyard_domain::launch::{Behind, Mount, SharedDirectory};
use trainyard_domain::state::BatchAiError;

/// Code for a volume that could not be mounted.
pub const MOUNT_FAILED: &str = "MountFailed";
/// Code for a directory or file of the job that could not be made.
pub const ENVIRONMENT_FAILED: &str = "JobEnvironmentFailed";

/// Shows each volume at its path. On the plain level a directory is shown by a symbolic link. A source is never made
/// here: the server has made it, and one that is missing since then must not come back empty.
pub fn mount_all(mounts: &[Mount]) -> Result<(), BatchAiError> {
    mounts.iter().try_for_each(|mount| {
        let shown = match &mount.behind {
            Behind::Source(source) => link(Path::new(source), Path::new(&mount.path)),
            Behind::Rclone(_) | Behind::Cifs(_) | Behind::Nfs(_) | Behind::Command(_) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        };
        shown.map_err(|error| mount_failure(&mount.path, &error))
    })
}

/// Makes the shared directory of an attempt if it is missing, and shows it.
pub fn share(directory: &SharedDirectory) -> Result<(), BatchAiError> {
    let SharedDirectory { source, path } = directory;
    make_all(std::slice::from_ref(source))?;
    link(Path::new(source), Path::new(path)).map_err(|error| mount_failure(path, &error))
}

fn mount_failure(path: &str, error: &io::Error) -> BatchAiError {
    let message = format!(
        "The volume could not be mounted at {path}. Check that nothing else is there, and that its source can be used."
    );
    failure(MOUNT_FAILED, message, path, error)
}

fn link(source: &Path, path: &Path) -> io::Result<()> {
    if !fs::metadata(source)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match symlink(source, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_link(source, path) => Ok(()),
        done => done,
    }
}

fn is_link(source: &Path, path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target == source)
}

/// Takes mounts away again, in reverse order; only what still is ours.
pub fn unmount_all(mounts: &[Mount]) {
    for mount in mounts.iter().rev() {
        if let Behind::Source(source) = &mount.behind
            && is_link(Path::new(source), Path::new(&mount.path))
        {
            let _ = fs::remove_file(&mount.path);
        }
    }
}

/// Makes directories with those above them.
pub fn make_all(directories: &[String]) -> Result<(), BatchAiError> {
    directories.iter().try_for_each(|path| {
        fs::create_dir_all(path).map_err(|error| environment_failure("directory", path, &error))
    })
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
    failure(ENVIRONMENT_FAILED, message, path, error)
}

fn failure(code: &str, message: String, path: &str, error: &io::Error) -> BatchAiError {
    BatchAiError {
        code: code.to_owned(),
        message,
        details: vec![
            ("path".to_owned(), path.to_owned()),
            ("Info".to_owned(), error.to_string()),
        ],
    }
}

/// Moves a directory into the trash, where [`empty_trash`] finds it. Deleting may take long, moving does not.
pub fn discard(directory: &Path, trash: &Path) -> io::Result<()> {
    if !directory.exists() {
        return Ok(());
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
    fs::rename(directory, target).or_else(|_| fs::remove_dir_all(directory))
}

/// Deletes the trash on a thread of its own.
pub fn empty_trash(trash: &Path) {
    let trash = trash.to_owned();
    if trash.exists() {
        std::thread::spawn(move || fs::remove_dir_all(trash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(base: &Path, source: &str, path: &str) -> Mount {
        Mount {
            path: base.join(path).display().to_string(),
            behind: Behind::Source(base.join(source).display().to_string()),
        }
    }

    #[test]
    fn a_mount_shows_its_source_and_is_refused_where_something_else_is() {
        let base = tempfile::tempdir().unwrap();
        let first = mount(base.path(), "a", "m/x");
        assert_eq!(
            mount_all(std::slice::from_ref(&first)).unwrap_err().code,
            MOUNT_FAILED
        );
        assert!(!base.path().join("a").exists(), "a missing source stays missing");
        fs::create_dir_all(base.path().join("a")).unwrap();
        fs::create_dir_all(base.path().join("b")).unwrap();
        mount_all(std::slice::from_ref(&first)).unwrap();
        mount_all(std::slice::from_ref(&first)).unwrap();
        fs::write(base.path().join("a/f"), "1").unwrap();
        assert_eq!(fs::read_to_string(base.path().join("m/x/f")).unwrap(), "1");
        let other = mount(base.path(), "b", "m/x");
        let error = mount_all(std::slice::from_ref(&other)).unwrap_err();
        assert_eq!(error.code, MOUNT_FAILED);
        unmount_all(&[other]);
        assert!(base.path().join("m/x").exists(), "another's mount stays");
        unmount_all(&[first]);
        assert!(!base.path().join("m/x").exists());
        assert!(base.path().join("a/f").exists());
    }

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
