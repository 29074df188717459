//! The files that are looked at.

use std::path::{Path, PathBuf};

use anyhow::Context;
use trainyard_migrate::call::Call;
use trainyard_migrate::file;
use trainyard_migrate::known::Known;

/// Files beyond this size are left out.
pub const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// Folders that hold nobody's scripts.
const NOT_WALKED: &[&str] = &[".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv"];

/// A file that was read.
#[derive(Debug)]
pub struct Scanned {
    /// As it was asked for, or found below what was asked for.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// What was found.
    pub calls: Vec<Call>,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
pub struct Found {
    /// Files of a kind that is understood, in order.
    pub files: Vec<Scanned>,
    /// What was left out although it was asked for or may hold calls, and why.
    pub left_out: Vec<(PathBuf, &'static str)>,
}

/// Looks at all `paths`; folders with all that is in them.
///
/// # Errors
/// When a path does not exist or can't be read.
pub fn look(paths: &[PathBuf], known: &Known) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for path in paths {
        let meta = std::fs::symlink_metadata(path).with_context(|| {
            format!(
                "{} can't be looked at: name files or folders that exist",
                path.display()
            )
        })?;
        if meta.is_dir() {
            walk(path, known, &mut found)?;
        } else {
            one(path, known, true, &mut found)?;
        }
    }
    Ok(found)
}

fn walk(folder: &Path, known: &Known, found: &mut Found) -> anyhow::Result<()> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let mut folders = Vec::new();
        for path in entries(&folder)? {
            let meta = std::fs::symlink_metadata(&path).with_context(|| unreadable(&path))?;
            let name = path.file_name().unwrap_or_default();
            if meta.is_symlink() {
                found.left_out.push((path, "it is a symbolic link"));
            } else if meta.is_file() {
                one(&path, known, false, found)?;
            } else if meta.is_dir() && !NOT_WALKED.iter().any(|skipped| name == *skipped) {
                folders.push(path);
            }
        }
        // The stack gives them back in order.
        waiting.extend(folders.into_iter().rev());
    }
    Ok(())
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(folder).with_context(|| unreadable(folder))?;
    let entries: Result<Vec<_>, _> = read.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut entries = entries.with_context(|| unreadable(folder))?;
    entries.sort();
    Ok(entries)
}

/// One file. `asked`: it was named itself, so it is said when it is not looked at.
fn one(path: &Path, known: &Known, asked: bool, found: &mut Found) -> anyhow::Result<()> {
    let meta = std::fs::symlink_metadata(path).with_context(|| unreadable(path))?;
    let why = if meta.is_symlink() {
        "it is a symbolic link: name the file itself"
    } else if !meta.is_file() {
        "it is no file"
    } else if meta.len() > MOST_BYTES {
        "it is larger than 8 MiB"
    } else {
        let bytes = std::fs::read(path).with_context(|| unreadable(path))?;
        let mentioned = bytes
            .windows(7)
            .any(|piece| piece.eq_ignore_ascii_case(b"batchai"));
        let binary = bytes.contains(&0);
        match String::from_utf8(bytes) {
            Ok(text) if !binary => match file::calls(path, &text, known) {
                Some(calls) => {
                    found.files.push(Scanned {
                        path: path.to_owned(),
                        text,
                        calls,
                    });
                    return Ok(());
                }
                None if !asked && !mentioned => return Ok(()),
                None if mentioned => "it names Batch AI, but files of its kind are not understood",
                None => "files of its kind are not understood",
            },
            _ if !asked && !mentioned => return Ok(()),
            _ => "it is binary, or not UTF-8",
        }
    };
    found.left_out.push((path.to_owned(), why));
    Ok(())
}

fn unreadable(path: &Path) -> String {
    format!("{} can't be read", path.display())
}
