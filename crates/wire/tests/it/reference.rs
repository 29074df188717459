//! Reference material beside the repository, where it is there.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder of the reference, or `None` with one line of print.
pub fn folder(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(3)?
        .join("shared/reference")
        .join(name);
    if !path.is_dir() {
        println!("left out: ../shared is not here ({name})");
        return None;
    }
    Some(path)
}

/// The files of a folder in order of name, each with its name and content.
pub fn json_files(folder: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<(String, Value)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (
                name,
                serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap(),
            )
        })
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}
