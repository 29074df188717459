//! How much lies in directories. What is found is a hint: a job may move its files while they are counted.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most entries that one count goes over, so that a look stays short; what lies beyond is not counted.
const ENTRIES: usize = 50_000;

/// Directories that are counted together.
#[derive(Debug, Clone)]
pub struct Trees {
    roots: Vec<PathBuf>,
    left_out: Vec<PathBuf>,
    device: u64,
}

impl Trees {
    /// Those of `roots` that are there and lie on the file system `device`: a count asks no volume. What is at `left_out`
    /// does not count where a root is gone over, such as volumes, which are not the job's own.
    pub fn new<'a>(roots: impl Iterator<Item = &'a str>, left_out: Vec<PathBuf>, device: u64) -> Trees {
        Trees {
            roots: roots
                .filter_map(|root| fs::canonicalize(root).ok())
                .filter(|root| fs::symlink_metadata(root).is_ok_and(|found| found.dev() == device))
                .collect(),
            left_out,
            device,
        }
    }

    /// Bytes that they take on the disk. Links are not followed, other file systems not entered. What has several names
    /// counts once, be it by links, by mounts or as a root within another.
    pub fn bytes(&self) -> u64 {
        let mut room = ENTRIES;
        let mut bytes: u64 = 0;
        let mut seen = BTreeSet::new();
        let mut waiting = self.roots.clone();
        while let Some(path) = waiting.pop() {
            let Ok(found) = fs::symlink_metadata(&path) else {
                continue;
            };
            if found.dev() != self.device || !seen.insert(found.ino()) {
                continue;
            }
            bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
            if found.is_dir()
                && let Ok(entries) = fs::read_dir(&path)
            {
                let before = waiting.len();
                let entries = entries.flatten().take(room).map(|entry| entry.path());
                waiting.extend(entries.filter(|path| !self.left_out.contains(path)));
                room -= waiting.len() - before;
            }
        }
        bytes
    }
}

/// Bytes that a directory, or file, takes on its disk; of a large tree the first 50,000 entries count. Links are not
/// followed.
pub fn disk_bytes(path: &Path) -> u64 {
    let device = fs::symlink_metadata(path).map_or(0, |found| found.dev());
    let trees = Trees {
        roots: vec![path.to_owned()],
        left_out: Vec::new(),
        device,
    };
    trees.bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const MIB: u64 = 1 << 20;

    #[test]
    fn each_file_counts_once_and_links_are_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        fs::create_dir_all(at("job/deep/deeper")).unwrap();
        fs::create_dir_all(at("out")).unwrap();
        fs::create_dir_all(at("volume")).unwrap();
        fs::create_dir_all(at("job/mounts")).unwrap();
        let write = |name: &str, mib: usize| fs::write(at(name), vec![1; mib << 20]).unwrap();
        write("job/deep/deeper/a", 1);
        write("out/b", 2);
        write("volume/c", 8);
        write("job/mounts/d", 16);
        fs::hard_link(at("job/deep/deeper/a"), at("job/a-again")).unwrap();
        symlink(at("volume"), at("job/link")).unwrap();
        let device = fs::metadata(base.path()).unwrap().dev();
        let text = |name: &str| at(name).display().to_string();
        let roots = [text("job"), text("job/deep"), text("out"), text("missing")];
        let trees = Trees::new(roots.iter().map(String::as_str), vec![at("job/mounts")], device);
        let bytes = trees.bytes();
        assert!((3 * MIB..4 * MIB).contains(&bytes), "{bytes}");
        let elsewhere = Trees::new(roots.iter().map(String::as_str), Vec::new(), device + 1);
        assert_eq!(elsewhere.bytes(), 0);
    }
}
