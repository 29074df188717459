//! Which images jobs have used, and when: a note an image, by which those are found that nobody has used for long.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use super::order::make_private;
use crate::files::touch;

/// That an image is used, as long as this is held.
#[derive(Debug)]
pub struct Usage {
    held: File,
}

impl Usage {
    fn path(store: &Path, id: &str) -> PathBuf {
        let name: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        folder(store).join(name)
    }

    /// Notes that an image is used now, and the names under which it was brought here.
    pub fn note(store: &Path, id: &str, names: &[String]) -> io::Result<()> {
        make_private(&folder(store))?;
        let path = Usage::path(store, id);
        fs::write(&path, format!("{id}\n{}\n", names.join("\n")))?;
        fs::set_permissions(path, Permissions::from_mode(0o600))
    }

    /// Whether an image was ever noted.
    pub fn is_noted(store: &Path, id: &str) -> bool {
        Usage::path(store, id).exists()
    }

    /// Holds an image.
    pub fn hold(store: &Path, id: &str) -> io::Result<Usage> {
        let held = File::open(Usage::path(store, id))?;
        flock(&held, FlockOperation::LockShared)?;
        Ok(Usage { held })
    }
}

/// It was in use until now.
impl Drop for Usage {
    fn drop(&mut self) {
        let _ = touch(&self.held);
    }
}

/// A note of an image that was not used for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its id.
    pub id: String,
    /// The names under which it was brought here.
    pub names: Vec<String>,
    /// When it was used last.
    pub used: SystemTime,
    note: PathBuf,
}

impl Unused {
    /// Forgets it once `remove` has removed it; false when it is used meanwhile, and nothing is done then.
    pub fn forget(&self, remove: impl FnOnce() -> Result<(), String>) -> Result<bool, String> {
        let failed = |error: io::Error| format!("{} cannot be used: {error}", self.note.display());
        let held = File::open(&self.note).map_err(failed)?;
        let touched = held
            .metadata()
            .and_then(|found| found.modified())
            .map_err(failed)?;
        if touched > self.used || flock(&held, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(false);
        }
        remove()?;
        fs::remove_file(&self.note).map_err(failed)?;
        Ok(true)
    }
}

/// Images that jobs have used, none of them after `since`, and that no container uses now; the one used first first.
pub fn unused(store: &Path, since: SystemTime) -> io::Result<Vec<Unused>> {
    let folder = folder(store);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let note = entry?.path();
        let used = fs::metadata(&note)?.modified()?;
        if used > since || in_use(&note)? {
            continue;
        }
        let text = fs::read_to_string(&note)?;
        let mut lines = text.lines().map(str::to_owned);
        let (id, names) = (lines.next().unwrap_or_default(), lines.collect());
        found.push(Unused {
            id,
            names,
            used,
            note,
        });
    }
    found.sort_by_key(|image| image.used);
    Ok(found)
}

fn folder(store: &Path) -> PathBuf {
    store.join("used")
}

fn in_use(note: &Path) -> io::Result<bool> {
    Ok(flock(File::open(note)?, FlockOperation::NonBlockingLockExclusive).is_err())
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(86400);

    /// The image was used so long ago.
    fn age(store: &Path, id: &str, by: Duration) {
        let file = File::options().write(true).open(Usage::path(store, id)).unwrap();
        let before = file.metadata().unwrap().modified().unwrap() - by;
        file.set_times(FileTimes::new().set_modified(before)).unwrap();
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn images_of_long_ago_are_unused_unless_a_container_has_them() {
        let store = tempfile::tempdir().unwrap();
        for (id, name, days) in [("sha256:a", "x:1", 9), ("b", "y:1", 1), ("c", "z:1", 8)] {
            Usage::note(store.path(), id, &names(&[name, "other"])).unwrap();
            age(store.path(), id, DAY * days);
        }
        let now = fs::metadata(store.path()).unwrap().modified().unwrap();
        let found = || {
            let unused = unused(store.path(), now - DAY * 7).unwrap();
            unused
                .into_iter()
                .map(|image| (image.id, image.names))
                .collect::<Vec<_>>()
        };
        let pair = |id: &str, name: &str| (id.to_owned(), names(&[name, "other"]));
        assert_eq!(found(), [pair("sha256:a", "x:1"), pair("c", "z:1")]);
        let held = Usage::hold(store.path(), "c").unwrap();
        assert_eq!(found(), [pair("sha256:a", "x:1")]);
        drop(held);
        assert_eq!(found(), [pair("sha256:a", "x:1")], "it was used until now");
        age(store.path(), "c", DAY * 8);
        Usage::note(store.path(), "sha256:a", &names(&["x:1"])).unwrap();
        assert_eq!(found(), [pair("c", "z:1")]);
    }

    #[test]
    fn what_is_used_meanwhile_stays_and_so_does_what_cannot_be_removed() {
        let store = tempfile::tempdir().unwrap();
        Usage::note(store.path(), "a", &names(&["x:1"])).unwrap();
        age(store.path(), "a", DAY);
        let now = fs::metadata(store.path()).unwrap().modified().unwrap();
        let [image] = &unused(store.path(), now).unwrap()[..] else {
            panic!("one image")
        };
        let held = Usage::hold(store.path(), "a").unwrap();
        assert_eq!(image.forget(|| panic!("it is in use")), Ok(false));
        drop(held);
        assert_eq!(image.forget(|| panic!("it was used")), Ok(false));
        age(store.path(), "a", DAY);
        let [image] = &unused(store.path(), now).unwrap()[..] else {
            panic!("one image")
        };
        assert_eq!(image.forget(|| Err("no".to_owned())), Err("no".to_owned()));
        assert!(Usage::is_noted(store.path(), "a"));
        assert_eq!(image.forget(|| Ok(())), Ok(true));
        assert!(!Usage::is_noted(store.path(), "a"));
    }
}
