//! Images that nobody has used for long.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use super::call::World;
use super::find::{Runtime, find};
use super::order::make_private;
use super::podman::Podman;
use super::settings::Settings;

/// That an image is used, as long as this is held.
#[derive(Debug)]
pub struct Usage {
    _held: File,
}

impl Usage {
    fn path(store: &Path, id: &str) -> PathBuf {
        let name: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        store.join("used").join(name)
    }

    /// Notes that an image is used now, and by which name.
    pub fn note(store: &Path, id: &str, name: &str) -> io::Result<()> {
        make_private(&store.join("used"))?;
        fs::write(Usage::path(store, id), format!("{id}\n{name}\n"))
    }

    /// Holds an image.
    pub fn hold(store: &Path, id: &str) -> io::Result<Usage> {
        let held = File::open(Usage::path(store, id))?;
        flock(&held, FlockOperation::LockShared)?;
        Ok(Usage { _held: held })
    }
}

/// An image that was not used for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedImage {
    /// Its id.
    pub id: String,
    /// The name by which it was used last.
    pub name: String,
    /// When that was.
    pub used: SystemTime,
    note: PathBuf,
}

/// Images that jobs have used, none of them after `since`, and that no container uses now.
///
/// # Errors
/// The notes cannot be read.
pub fn unused(settings: &Settings, since: SystemTime) -> io::Result<Vec<UnusedImage>> {
    let folder = settings.store.join("used");
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
        let (id, name) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        found.push(UnusedImage { id, name, used, note });
    }
    found.sort_by_key(|image| image.used);
    Ok(found)
}

fn in_use(note: &Path) -> io::Result<bool> {
    Ok(flock(File::open(note)?, FlockOperation::NonBlockingLockExclusive).is_err())
}

/// Removes such an image; false when it was used meanwhile. `variables` are those of the calling program, of which PATH
/// and HOME count.
///
/// # Errors
/// What the runtime said.
pub fn remove_unused(
    settings: &Settings,
    image: &UnusedImage,
    variables: BTreeMap<String, String>,
) -> Result<bool, String> {
    let failed = |error: io::Error| format!("the image {} cannot be removed: {error}", image.name);
    let held = File::open(&image.note).map_err(failed)?;
    let touched = held
        .metadata()
        .and_then(|found| found.modified())
        .map_err(failed)?;
    if touched > image.used || flock(&held, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    let world = World { variables };
    let runtime = find(settings, world.path()).map_err(|none| none.to_string())?;
    let call = match &runtime {
        Runtime::Podman(_) => {
            let podman = Podman::store(settings, &world).map_err(failed)?;
            podman.call(&["rmi", "--force", &image.id])
        }
        Runtime::Docker(_) => super::docker::call(None, &["rmi", "--force", &image.id]),
    };
    world.call(runtime.program(), &call)?;
    fs::remove_file(&image.note).map_err(failed)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::time::Duration;

    use super::*;

    /// The image was used so long ago.
    fn age(store: &Path, id: &str, by: Duration) {
        let file = File::options().write(true).open(Usage::path(store, id)).unwrap();
        let before = file.metadata().unwrap().modified().unwrap() - by;
        file.set_times(FileTimes::new().set_modified(before)).unwrap();
    }

    #[test]
    fn images_of_long_ago_are_unused_unless_a_container_has_them() {
        let store = tempfile::tempdir().unwrap();
        let settings = Settings {
            store: store.path().to_owned(),
            ..Settings::default()
        };
        let day = Duration::from_secs(86400);
        for (id, name, days) in [("sha256:a", "x:1", 9), ("b", "y:1", 1), ("c", "z:1", 8)] {
            Usage::note(store.path(), id, name).unwrap();
            age(store.path(), id, day * days);
        }
        let now = fs::metadata(store.path()).unwrap().modified().unwrap();
        let names = || {
            let unused = unused(&settings, now - day * 7).unwrap();
            unused
                .into_iter()
                .map(|image| (image.id, image.name))
                .collect::<Vec<_>>()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(names(), [pair("sha256:a", "x:1"), pair("c", "z:1")]);
        let held = Usage::hold(store.path(), "c").unwrap();
        assert_eq!(names(), [pair("sha256:a", "x:1")]);
        drop(held);
        Usage::note(store.path(), "sha256:a", "x:1").unwrap();
        assert_eq!(names(), [pair("c", "z:1")]);
    }
}
