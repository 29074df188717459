//! What may go of images: those that nobody has used for long, those that nobody knows of, and what is left of fetching
//! that was cut off. Only what came here for jobs: docker may have other images, which are none of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use super::call::{Call, World};
use super::find::{Runtime, find};
use super::order::make_private;
use super::podman::Podman;
use super::settings::Settings;
use super::sweep::end_store;
use super::usage::{Unused, unused};
use super::{docker, podman};

/// Something that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spare {
    /// What it is.
    pub what: What,
    /// How much of the disk it takes, if that is known; layers that other images have too count for each.
    pub bytes: Option<u64>,
    /// Why it is still there although it was to go.
    pub left: Option<String>,
}

/// What may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An image that no job has used for long, by its name.
    Unused(String),
    /// An image that came here and was never noted, since its fetching was cut off at its end; by its id.
    Unknown(String),
    /// A part of an image whose fetching was cut off.
    Part(PathBuf),
}

/// The right to bring images here: many may have it at once.
pub fn fetching(store: &Path) -> io::Result<File> {
    let file = File::create(lock(store))?;
    flock(&file, FlockOperation::LockShared)?;
    Ok(file)
}

fn lock(store: &Path) -> PathBuf {
    store.join("fetching")
}

/// Where parts of images lie while they come.
pub fn parts(store: &Path) -> PathBuf {
    store.join("parts")
}

/// What may go of images in the store of the settings; where `free`, it goes. Images that were used after `since` stay;
/// without it, all that were noted do. `variables` are those of this program, of which PATH and HOME count. Nothing goes
/// while an image is fetched.
///
/// # Errors
/// The store cannot be read.
pub fn spare(
    settings: &Settings,
    variables: BTreeMap<String, String>,
    since: Option<SystemTime>,
    free: bool,
) -> io::Result<Vec<Spare>> {
    let store = &settings.store;
    if !store.exists() {
        return Ok(Vec::new());
    }
    let unused = since.map_or_else(|| Ok(Vec::new()), |since| unused(store, since))?;
    let world = World { variables };
    let Some(images) = Images::open(settings, &world)? else {
        let left = free.then(|| "an image is being fetched just now".to_owned());
        let spare = |image: Unused| Spare {
            what: What::Unused(name(&image)),
            bytes: None,
            left: left.clone(),
        };
        return Ok(unused.into_iter().map(spare).collect());
    };
    let mut found: Vec<Spare> = unused.iter().map(|image| images.unused(image, free)).collect();
    let unknown = images.unknown().into_iter();
    found.extend(unknown.map(|id| images.stray(id, free)));
    found.extend(cut_off(store, free)?);
    Ok(found)
}

/// The images here, while nobody fetches any.
struct Images<'a> {
    settings: &'a Settings,
    world: &'a World,
    runtime: Result<(Runtime, Option<Podman>), String>,
    _alone: File,
}

impl<'a> Images<'a> {
    /// `None` while somebody fetches one.
    fn open(settings: &'a Settings, world: &'a World) -> io::Result<Option<Images<'a>>> {
        let alone = File::create(lock(&settings.store))?;
        if flock(&alone, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(None);
        }
        let runtime = match find(settings, world.path()) {
            Ok(Runtime::Podman(program)) => {
                let podman = Podman::store(settings, world)?;
                Ok((Runtime::Podman(program), Some(podman)))
            }
            Ok(Runtime::Docker(program)) => Ok((Runtime::Docker(program), None)),
            Err(none) => Err(none.to_string()),
        };
        Ok(Some(Images {
            settings,
            world,
            runtime,
            _alone: alone,
        }))
    }

    fn call(&self, arguments: &[&str]) -> Result<String, String> {
        let (runtime, podman) = self.runtime.as_ref().map_err(String::clone)?;
        let call: Call = match podman {
            Some(podman) => podman.call(arguments),
            None => docker::call(None, arguments),
        };
        self.world.call(runtime.program(), &call)
    }

    fn bytes(&self, id: &str) -> Option<u64> {
        let size = self.call(&["image", "inspect", "--format", "{{.Size}}", id]);
        size.ok()?.parse().ok()
    }

    fn unused(&self, image: &Unused, free: bool) -> Spare {
        let bytes = self.bytes(&image.id);
        let left = free.then(|| match image.forget(|| self.remove(image)) {
            Ok(true) => None,
            Ok(false) => Some("it is used again".to_owned()),
            Err(why) => Some(why),
        });
        Spare {
            what: What::Unused(name(image)),
            bytes,
            left: left.flatten(),
        }
    }

    /// In podman's store everything is ours. Of docker's images only the names go by which we brought one: it stays as
    /// long as somebody else has it, by a name or in a container.
    fn remove(&self, image: &Unused) -> Result<(), String> {
        let gone = |said: &str| said.contains("No such image") || said.contains("image not known");
        let words: Vec<&str> = match &self.runtime {
            Ok((Runtime::Docker(_), _)) => {
                let names = image.names.iter().map(String::as_str);
                ["rmi"].into_iter().chain(names).collect()
            }
            Ok((Runtime::Podman(_), _)) | Err(_) => vec!["rmi", "--force", &image.id],
        };
        match self.call(&words) {
            Err(said) if !gone(&said) => Err(said),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Ids of images in podman's store of which there is no note.
    fn unknown(&self) -> Vec<String> {
        let store = &self.settings.store;
        if !matches!(self.runtime, Ok((Runtime::Podman(_), _))) || !podman::image_root(self.settings).exists()
        {
            return Vec::new();
        }
        // A store that cannot be listed says so to the next job.
        let listed = self.call(&["images", "--all", "--quiet", "--no-trunc"]);
        let listed = listed.unwrap_or_default();
        let ids: BTreeSet<&str> = listed
            .lines()
            .map(|id| id.trim_start_matches("sha256:"))
            .collect();
        let unknown = ids
            .into_iter()
            .filter(|id| !super::usage::Usage::is_noted(store, id));
        unknown.map(str::to_owned).collect()
    }

    fn stray(&self, id: String, free: bool) -> Spare {
        let bytes = self.bytes(&id);
        let left = free.then(|| self.call(&["rmi", "--force", &id]).err());
        Spare {
            what: What::Unknown(id),
            bytes,
            left: left.flatten(),
        }
    }
}

/// What podman keeps of the store while the machine is up, among it a mount, is not for this process alone to leave.
impl Drop for Images<'_> {
    fn drop(&mut self) {
        if matches!(self.runtime, Ok((Runtime::Podman(_), _))) {
            end_store(&self.settings.store);
        }
    }
}

fn name(image: &Unused) -> String {
    image.names.first().unwrap_or(&image.id).clone()
}

/// Nobody fetches an image: what is there was left.
fn cut_off(store: &Path, free: bool) -> io::Result<Vec<Spare>> {
    let folder = parts(store);
    make_private(&folder)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let bytes = Some(crate::disk_bytes(&path));
        let left = free.then(|| {
            let removed = if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.err().map(|error| error.to_string())
        });
        found.push(Spare {
            what: What::Part(path),
            bytes,
            left: left.flatten(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_images_go_but_not_while_one_is_fetched() {
        let store = tempfile::tempdir().unwrap();
        let settings = Settings {
            store: store.path().to_owned(),
            ..Settings::default()
        };
        let spare = |free| spare(&settings, BTreeMap::new(), None, free).unwrap();
        let part = parts(store.path()).join("storage123");
        fs::create_dir_all(&part).unwrap();
        fs::write(part.join("layer"), vec![1; 10_000]).unwrap();
        let held = fetching(store.path()).unwrap();
        assert_eq!(spare(true), []);
        drop(held);
        for free in [false, true] {
            let found = spare(free);
            assert!(
                found[0].bytes.unwrap() >= 10_000 && found[0].left.is_none(),
                "{found:?}"
            );
            assert_eq!(found[0].what, What::Part(part.clone()));
            assert_eq!(part.exists(), !free);
        }
        assert_eq!(spare(true), []);
    }

    #[test]
    fn a_folder_without_a_store_has_nothing() {
        let settings = Settings {
            store: "/no/store".into(),
            ..Settings::default()
        };
        assert_eq!(spare(&settings, BTreeMap::new(), None, true).unwrap(), []);
        assert!(!Path::new("/no/store").exists());
    }
}
