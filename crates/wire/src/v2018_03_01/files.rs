//! Entries of output directories.

use serde_json::Value;

use crate::flat;
use crate::v2018_05_01::{self as newer, FileEntry};

/// A page of an output directory: `isDirectory` where 2018-05-01 has `fileType`.
pub fn files(entries: &[FileEntry], next_link: Option<&str>) -> Value {
    let mut out = newer::files(entries, next_link);
    flat::at(&mut out, &["value", "*"], &mut |entry| {
        flat::replace(entry, "fileType", "isDirectory", |kind| {
            (kind == "directory").into()
        });
    });
    out
}
