//! What jobs leave in directories that a node has instead of the machine's: `/tmp`, `/dev/shm` and the like.
//!
//! What was there when a job began is the setup task's or of people who are logged in, and stays. All else goes with
//! the job, so that no later one sees it and the disk does not fill.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::target::Target;
use crate::place;

/// The directories, for the node itself: with all its rights, wherever jobs have them.
#[derive(Debug, Default)]
pub struct Scratch {
    rooms: Vec<Room>,
    /// The node's folder, which no job sees.
    folder: PathBuf,
}

#[derive(Debug)]
struct Room {
    directory: Target,
    /// What belongs there, such as the devices in `/dev`.
    own: BTreeSet<OsString>,
}

/// What was there at a moment, by name.
#[derive(Debug, Default)]
pub struct Names(Vec<BTreeSet<OsString>>);

impl Scratch {
    /// As the node has just made them.
    pub fn new(directories: Vec<Target>, folder: &Path) -> Scratch {
        let room = |directory: Target| Room {
            own: names(&directory),
            directory,
        };
        Scratch {
            rooms: directories.into_iter().map(room).collect(),
            folder: folder.to_owned(),
        }
    }

    /// What is there now.
    pub fn names(&self) -> Names {
        Names(self.rooms.iter().map(|room| names(&room.directory)).collect())
    }

    /// Takes away all but what was there before. What lies in the node's folder is only moved aside there, by `name`:
    /// deleting may take long, and goes on meanwhile.
    pub fn clear(&self, before: &Names, name: &str) {
        let aside = self.folder.join(format!("cleared-{name}"));
        let none = BTreeSet::new();
        for (number, room) in self.rooms.iter().enumerate() {
            let before = before.0.get(number).unwrap_or(&none);
            let left = names(&room.directory);
            for entry in left
                .iter()
                .filter(|name| !room.own.contains(*name) && !before.contains(*name))
            {
                let path = room.directory.path().join(entry);
                if let Err(error) = discard(&path, &aside) {
                    crate::say(format_args!(
                        "what a job left as {} stays: {error}",
                        entry.display()
                    ));
                }
            }
        }
        place::empty_trash(&aside);
    }
}

fn names(directory: &Target) -> BTreeSet<OsString> {
    let entries = fs::read_dir(directory.path());
    entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect()
}

/// Moves something aside, or deletes it where that is another file system. Links are not followed.
fn discard(path: &Path, aside: &Path) -> io::Result<()> {
    fs::create_dir_all(aside)?;
    let moved = path.file_name().map(|name| fs::rename(path, aside.join(name)));
    if let Some(Ok(())) = moved {
        return Ok(());
    }
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_was_there_before_stays_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let room = base.path().join("tmp");
        let put = |name: &str| fs::write(room.join(name), "x").unwrap();
        let kept = base.path().join("kept");
        fs::create_dir_all(&room).unwrap();
        fs::write(&kept, "x").unwrap();
        put("own");
        let directory = Target::found(&room).unwrap();
        let scratch = Scratch::new(vec![directory], base.path());
        put("of the setup task");
        let before = scratch.names();
        put("of the job");
        fs::create_dir_all(room.join("deep/deeper")).unwrap();
        symlink(&kept, room.join("link")).unwrap();
        scratch.clear(&before, "1-1");
        let left: Vec<OsString> = names(&scratch.rooms[0].directory).into_iter().collect();
        assert_eq!(left, ["of the setup task", "own"]);
        scratch.clear(&Names::default(), "1-2");
        let left: Vec<OsString> = names(&scratch.rooms[0].directory).into_iter().collect();
        assert_eq!(left, ["own"], "this goes too when nothing was there before");
        assert!(kept.exists(), "links are not followed");
    }
}
