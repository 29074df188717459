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
    pub left_out: Vec<LeftOut>,
}

/// A file that was not read.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is.
    pub path: PathBuf,
    /// Why, as the end of a sentence.
    pub why: &'static str,
    /// Whether it names Batch AI, so that the person has to look into it.
    pub names: bool,
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
                found.leave_out(&path, "it is a symbolic link", false);
            } else if meta.is_file() && !is_backup(&path) {
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

/// What `rewrite` kept of an earlier run: `X.orig`, `X.orig.1`.
fn is_backup(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name.ends_with(".orig") || name.ends_with(".orig.")
}

impl Found {
    fn leave_out(&mut self, path: &Path, why: &'static str, names: bool) {
        self.left_out.push(LeftOut {
            path: path.to_owned(),
            why,
            names,
        });
    }
}

/// One file. `asked`: it was named itself, so it is said when it is not looked at.
fn one(path: &Path, known: &Known, asked: bool, found: &mut Found) -> anyhow::Result<()> {
    let meta = std::fs::symlink_metadata(path).with_context(|| unreadable(path))?;
    if meta.is_symlink() {
        found.leave_out(path, "it is a symbolic link: name the file itself", false);
    } else if !meta.is_file() {
        found.leave_out(path, "it is no file", false);
    } else if meta.len() > MOST_BYTES {
        found.leave_out(path, "it is larger than 8 MiB", false);
    } else {
        let bytes = std::fs::read(path).with_context(|| unreadable(path))?;
        read(path, bytes, known, asked, found);
    }
    Ok(())
}

fn read(path: &Path, bytes: Vec<u8>, known: &Known, asked: bool, found: &mut Found) {
    let names = names_batchai(&bytes);
    let binary = bytes.contains(&0);
    let text = String::from_utf8(bytes).ok().filter(|_| !binary);
    let calls = text.as_deref().map(|text| file::calls(path, text, known));
    match (text, calls) {
        (Some(text), Some(Some(calls))) => found.files.push(Scanned {
            path: path.to_owned(),
            text,
            calls,
        }),
        _ if !asked && !names => {}
        (None, _) => found.leave_out(path, "it is binary, or not UTF-8", names),
        _ if names => found.leave_out(
            path,
            "it names Batch AI, but files of its kind are not understood",
            true,
        ),
        _ => found.leave_out(path, "files of its kind are not understood", false),
    }
}

/// Also in the UTF-16 that PowerShell writes.
fn names_batchai(bytes: &[u8]) -> bool {
    let has = |bytes: &[u8]| {
        let mut pieces = bytes.windows(b"batchai".len());
        pieces.any(|piece| piece.eq_ignore_ascii_case(b"batchai"))
    };
    let wide = || {
        bytes
            .iter()
            .copied()
            .filter(|byte| *byte != 0)
            .collect::<Vec<u8>>()
    };
    has(bytes) || (bytes.contains(&0) && has(&wide()))
}

fn unreadable(path: &Path) -> String {
    format!("{} can't be read", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const CALL: &str = "az batchai job show -n j -g g\n";

    #[test]
    fn folders_are_walked_and_what_is_left_out_is_said() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for folder in ["b", ".git", "node_modules"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for name in [
            "b/x.sh",
            "a.sh",
            ".git/x.sh",
            "node_modules/x.sh",
            "a.sh.orig",
            "a.sh.orig.1",
            "c.xyz",
        ] {
            fs::write(at(name), CALL).unwrap();
        }
        fs::write(at("d.bin"), b"batchai\0").unwrap();
        fs::write(at("e.bin"), b"nothing\0").unwrap();
        let wide: Vec<u8> = CALL.bytes().flat_map(|byte| [byte, 0]).collect();
        fs::write(at("f.ps1"), wide).unwrap();
        std::os::unix::fs::symlink(at("a.sh"), at("link.sh")).unwrap();
        std::os::unix::fs::symlink(at("b"), at("loop")).unwrap();
        let large = fs::File::create(at("large.sh")).unwrap();
        large.set_len(MOST_BYTES + 1).unwrap();

        let found = look(&[place.path().to_owned()], &Known::default()).unwrap();
        let name = |path: &Path| path.strip_prefix(place.path()).unwrap().display().to_string();
        let files: Vec<_> = found.files.iter().map(|file| name(&file.path)).collect();
        assert_eq!(files, ["a.sh", "c.xyz", "b/x.sh"]);
        let left: Vec<_> = found.left_out.iter().map(|left| name(&left.path)).collect();
        assert_eq!(left, ["d.bin", "f.ps1", "large.sh", "link.sh", "loop"]);
        assert!(found.left_out[0].names && found.left_out[1].names);
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let error = look(&[place.path().join("none")], &Known::default()).unwrap_err();
        assert!(
            error.to_string().contains("name files or folders that exist"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_was_named_is_not_passed_over_in_silence() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x.xyz");
        fs::write(&path, "nothing").unwrap();
        let found = look(&[path], &Known::default()).unwrap();
        assert_eq!(found.left_out.len(), 1);
    }
}
