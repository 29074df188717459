//! Changes a file, and keeps what it was.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Backups beside one file, at most.
const MOST: u32 = 1000;

/// The file at `path` holds `after` from now on; `before` is kept beside it as `FILE.orig`, or `FILE.orig.1` where
/// that is taken. The path of that.
///
/// # Errors
/// When one of the two can't be written; the file is the old one then.
pub fn keeping(path: &Path, before: &str, after: &str) -> anyhow::Result<PathBuf> {
    let failed = || format!("{} can't be changed; it is as it was", path.display());
    // What the person sees in the diff must be what is replaced.
    let now = fs::read(path).with_context(failed)?;
    anyhow::ensure!(
        now == before.as_bytes(),
        "{} was changed meanwhile; it is left as it is: run this again",
        path.display()
    );
    let permissions = fs::metadata(path).with_context(failed)?.permissions();
    let (kept, file) = free(path).with_context(failed)?;
    fill(file, before, &permissions).with_context(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    new.write_all(after.as_bytes()).with_context(failed)?;
    new.as_file().set_permissions(permissions).with_context(failed)?;
    new.as_file().sync_all().with_context(failed)?;
    new.persist(path)
        .map_err(|error| error.error)
        .with_context(failed)?;
    Ok(kept)
}

fn fill(mut file: File, text: &str, permissions: &fs::Permissions) -> std::io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.set_permissions(permissions.clone())?;
    file.sync_all()
}

/// A backup's name that is not taken, and its new file.
fn free(path: &Path) -> std::io::Result<(PathBuf, File)> {
    for number in 0..MOST {
        let mut name = path.as_os_str().to_owned();
        name.push(".orig");
        if number > 0 {
            name.push(format!(".{number}"));
        }
        let kept = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).open(&kept) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            done => return Ok((kept, done?)),
        }
    }
    Err(std::io::Error::other(
        "there are a thousand backups beside it already",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_backup_stays_and_the_mode_too() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run.sh");
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o754)).unwrap();
        let first = keeping(&path, "one", "two").unwrap();
        let second = keeping(&path, "two", "three").unwrap();
        assert_eq!(first, place.path().join("run.sh.orig"));
        assert_eq!(second, place.path().join("run.sh.orig.1"));
        assert_eq!(fs::read_to_string(first).unwrap(), "one");
        assert_eq!(fs::read_to_string(second).unwrap(), "two");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o754);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run.sh");
        fs::write(&path, "other").unwrap();
        assert!(keeping(&path, "one", "two").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "other");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
