//! Files that were being written when their writer died.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use trainyard_engine_local::litter::Litter;

use super::{How, Room, RoomError, Waste, listed, paths};
use crate::clock;

/// Nothing is written for longer, in seconds.
const OLD: i64 = 3600;

/// Drafts in the data folder and in those of nodes. None that is being written is as old as that.
pub struct Drafts {
    data: PathBuf,
    engine: PathBuf,
}

impl Drafts {
    pub fn new(data: &Path, engine: &Path) -> Drafts {
        Drafts {
            data: data.to_owned(),
            engine: engine.to_owned(),
        }
    }
}

impl Room for Drafts {
    fn name(&self) -> &'static str {
        "drafts"
    }

    fn visit(&self, how: How) -> Result<Vec<Waste>, RoomError> {
        let mut found = listed(&self.engine, Litter::new(&self.engine).drafts(&is_old))?;
        for entry in listed(&self.data, fs::read_dir(&self.data))?.flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(is_draft) && is_old(&entry.path()) {
                found.push(entry.path());
            }
        }
        let why = "its writer died before it was whole";
        Ok(paths(found, why, how, |path| {
            fs::remove_file(path).map(|()| true)
        }))
    }
}

/// Names that drafts of ours have in the data folder, and nothing else.
fn is_draft(name: &str) -> bool {
    let of_store = name
        .strip_prefix("trainyard.db")
        .and_then(|rest| rest.split_once(".part-"));
    let numbers = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    of_store.is_some_and(|(_, rest)| numbers(rest)) || ["server.new", "admin-token.new"].contains(&name)
}

/// Whether it is a file that nobody writes any more.
fn is_old(path: &Path) -> bool {
    let found = fs::symlink_metadata(path);
    found.is_ok_and(|found| found.is_file() && clock::now().as_second() - found.mtime() > OLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_drafts_are_known() {
        for draft in [
            "trainyard.db.part-12-0",
            "trainyard.db.before-3.part-12-0",
            "server.new",
        ] {
            assert!(is_draft(draft), "{draft}");
        }
        for other in [
            "trainyard.db",
            "trainyard.db.before-3",
            "trainyard.db.part-x",
            "notes.new",
            "x.part-1-0",
        ] {
            assert!(!is_draft(other), "{other}");
        }
    }
}
