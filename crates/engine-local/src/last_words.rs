//! What a node said last.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use trainyard_node::files::Folder;

/// Most bytes of its log that are told.
const BYTES: u64 = 1500;

/// The end of a node's log, in whole lines and without what would confuse a terminal.
pub fn read(folder: &Folder) -> Option<String> {
    let mut log = File::open(folder.log()).ok()?;
    let from = log.metadata().ok()?.len().saturating_sub(BYTES);
    log.seek(SeekFrom::Start(from)).ok()?;
    let mut end = Vec::new();
    log.take(BYTES).read_to_end(&mut end).ok()?;
    let words = tidy(&String::from_utf8_lossy(&end), from > 0);
    (!words.is_empty()).then_some(words)
}

fn tidy(end: &str, is_cut: bool) -> String {
    let whole = match end.split_once('\n') {
        Some((_, rest)) if is_cut && !rest.trim().is_empty() => rest,
        Some(_) | None => end,
    };
    let shown = whole.chars().filter(|c| *c == '\n' || !c.is_control());
    shown.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_lines_are_told_without_what_moves_cursors() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path().to_owned());
        assert_eq!(read(&folder), None, "no log");
        std::fs::write(folder.log(), "\n").unwrap();
        assert_eq!(read(&folder), None, "nothing in it");
        let long = "a long line\n".repeat(1000);
        std::fs::write(folder.log(), format!("{long}\u{1b}[2Jthe end\n")).unwrap();
        let words = read(&folder).unwrap();
        assert!(
            words.len() < 1500 && words.starts_with("a long line\n"),
            "{words}"
        );
        assert!(words.ends_with("\n[2Jthe end"), "{words}");
    }
}
