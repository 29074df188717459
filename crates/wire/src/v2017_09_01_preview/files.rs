//! Entries of output directories.

use serde_json::Value;

use crate::v2018_05_01::{FileEntry, FileKind, list};
use crate::{flat, v2018_03_01 as newer};

/// A page of an output directory: files only.
pub fn files(entries: &[FileEntry], next_link: Option<&str>) -> Value {
    let shown = |entry: &&FileEntry| matches!(entry.kind, FileKind::File { .. });
    let entries: Vec<FileEntry> = entries.iter().filter(shown).cloned().collect();
    if entries.is_empty() {
        return list(Vec::new(), next_link);
    }
    let mut out = newer::files(&entries, next_link);
    flat::cut(&mut out, &[&["value", "*", "isDirectory"]]);
    out
}
