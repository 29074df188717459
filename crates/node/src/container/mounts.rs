//! Mounts of this mount namespace.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

/// Mount points beneath a folder, those mounted first first.
pub fn beneath(folder: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points
        .map(unescaped)
        .filter(|point| point.starts_with(folder))
        .collect()
}

/// Takes away what is mounted beneath a folder, the last first.
pub fn take_away(folder: &Path) {
    for point in beneath(folder).iter().rev() {
        if let Err(error) = unmount(point, UnmountFlags::DETACH) {
            crate::say(format_args!("{} stays mounted: {error}", point.display()));
        }
    }
}

/// Space, tab, line end and backslash are written as `\040` and so on.
fn unescaped(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        let (byte, after) = octal.map_or((*first, after), |byte| (byte, after.get(3..).unwrap_or_default()));
        bytes.push(byte);
        rest = after;
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_mounts_are_read() {
        assert_eq!(unescaped("/a\\040b\\134c"), PathBuf::from("/a b\\c"));
        assert_eq!(unescaped("/a\\9"), PathBuf::from("/a\\9"));
    }
}
