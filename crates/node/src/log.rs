//! The node's own messages: stderr, which is `node.log`.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Most bytes of the log; then the latest of them are kept.
const MOST: u64 = 1 << 20;
const KEPT: usize = 256 << 10;

/// A message. It may be lost: a full disk must not end the node.
pub fn say(what: impl Display) {
    let _ = writeln!(io::stderr(), "{what}");
    if let Ok(log) = io::stderr().as_fd().try_clone_to_owned() {
        let _ = shorten(&File::from(log), Path::new("/proc/self/fd/2"));
    }
}

/// Cuts a log that is open for appending, and that `path` opens to be read, where it is too long.
fn shorten(log: &File, path: &Path) -> io::Result<()> {
    let found = log.metadata()?;
    if !found.is_file() || found.len() <= MOST {
        return Ok(());
    }
    let mut latest = vec![0; KEPT];
    File::open(path)?.read_exact_at(&mut latest, found.len() - KEPT as u64)?;
    let first_line = latest
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    log.set_len(0)?;
    let mut log = log;
    log.write_all(b"(earlier lines are gone: the log is kept short)\n")?;
    log.write_all(latest.get(first_line..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_its_latest_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.log");
        let open = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        let mut log = open.unwrap();
        let mut longest = 0;
        for number in 0..60_000 {
            writeln!(log, "line {number} {}", "x".repeat(50)).unwrap();
            shorten(&log, &path).unwrap();
            longest = longest.max(log.metadata().unwrap().len());
        }
        assert!(longest <= MOST, "{longest}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("(earlier lines are gone"), "{}", &text[..80]);
        let numbers: Vec<u32> = text
            .lines()
            .skip(1)
            .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
            .collect();
        assert!(numbers.len() > 3000 && *numbers.last().unwrap() == 59_999);
        assert!(
            numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "whole and in order"
        );
    }
}
