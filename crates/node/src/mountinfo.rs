//! What is mounted where, as the kernel tells it.

use std::fs;
use std::path::{Path, PathBuf};

/// One line of the kernel's table of mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Its number, which stays when its place is renamed.
    pub id: u64,
    /// Where.
    pub path: PathBuf,
    /// Its own options, such as `rw,nosuid`.
    pub options: String,
    /// Its type, such as `fuse.rclone`.
    pub kind: String,
}

/// All mounts that this thread sees, in the order in which they were made. Nothing of the file systems themselves is
/// asked, so it never hangs.
pub fn mounted() -> Vec<Mounted> {
    let text = fs::read_to_string("/proc/thread-self/mountinfo").unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// What is mounted at `path`, the last one on top.
pub fn at(path: &Path) -> Option<Mounted> {
    mounted().into_iter().rev().find(|mount| mount.path == path)
}

/// What is mounted at or beneath `path`, the last one first.
pub fn beneath(path: &Path) -> Vec<Mounted> {
    let mut all = mounted();
    all.retain(|mount| mount.path.starts_with(path));
    all.reverse();
    all
}

fn parse(line: &str) -> Option<Mounted> {
    let (left, right) = line.split_once(" - ")?;
    let fields: Vec<&str> = left.split(' ').collect();
    Some(Mounted {
        id: fields.first()?.parse().ok()?,
        path: PathBuf::from(plain(fields.get(4)?)?),
        options: (*fields.get(5)?).to_owned(),
        kind: plain(right.split(' ').next()?)?,
    })
}

/// The kernel writes spaces, tabs, line ends and backslashes as `\040` and so on.
fn plain(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\');
        match octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..)?;
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_spaces() {
        let line = r"42 27 0:39 / /tmp/a\040b\134c rw,nosuid shared:7 - fuse.rclone trainyard rw,user_id=0";
        let expected = Mounted {
            id: 42,
            path: PathBuf::from(r"/tmp/a b\c"),
            options: "rw,nosuid".to_owned(),
            kind: "fuse.rclone".to_owned(),
        };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn the_root_is_mounted_and_nothing_beneath_a_fresh_folder() {
        assert!(at(Path::new("/")).is_some());
        let fresh = tempfile::tempdir().unwrap();
        assert_eq!(beneath(fresh.path()), []);
    }
}
