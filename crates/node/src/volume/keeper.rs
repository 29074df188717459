//! A program that must run as long as its volume is mounted.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use crate::fence::{Fence, MARK};

/// A log longer than this begins anew.
const LONGEST_LOG: u64 = 1 << 20;
/// Most of what its last words are taken from, and most of them, in bytes.
const LAST_WORDS: (u64, usize) = (8192, 400);
/// What rclone logs when a file could not be brought to its store.
const UPLOAD_FAILED: &str = "failed to upload";

/// The program, from its start until it is known to have ended.
#[derive(Debug)]
pub struct Keeper {
    pid: Pid,
    log: PathBuf,
    cache: PathBuf,
    within: PathBuf,
    exit: Option<i32>,
}

/// Where a keeper's files are; they are this mount's alone.
#[derive(Debug, Clone)]
pub struct Files {
    /// Its log.
    pub log: PathBuf,
    /// Its cache.
    pub cache: PathBuf,
    /// Where in its remote the volume begins.
    pub within: PathBuf,
}

/// What rclone notes of a file in its cache.
#[derive(Deserialize)]
struct Noted {
    #[serde(rename = "Dirty", default)]
    dirty: bool,
}

impl Keeper {
    /// Starts it outside of what belongs to an attempt.
    pub fn start(
        arguments: &[String],
        environment: &BTreeMap<String, String>,
        files: Files,
        fence: &Fence,
    ) -> io::Result<Keeper> {
        let Files { log, cache, within } = files;
        let open = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&log)?;
        let pid = fence.outside(|mark| spawn(arguments, environment, &open, mark))?;
        Ok(Keeper {
            pid,
            log,
            cache,
            within,
            exit: None,
        })
    }

    /// Takes note of processes that have ended; true when it is one of them.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) -> bool {
        let of_mine = ended.iter().find(|(pid, _)| *pid == self.pid);
        self.exit = self.exit.or(of_mine.map(|(_, code)| *code));
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > LONGEST_LOG) {
            // It appends, so it goes on at the new end.
            let _ = OpenOptions::new().write(true).truncate(true).open(&self.log);
        }
        of_mine.is_some()
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.exit.is_some()
    }

    /// Kills it.
    pub fn kill(&self) {
        if self.exit.is_none() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// What it said last that looks like a reason, without what may be secret.
    pub fn last_words(&self) -> String {
        reason(&end_of(&self.log, LAST_WORDS.0).unwrap_or_default())
    }

    /// Length of its log.
    pub fn said(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// How often it could not bring a file to the store, since its log was `from` bytes long.
    pub fn failed_uploads(&self, from: u64) -> usize {
        let more = self.said().saturating_sub(from).min(LONGEST_LOG);
        let text = end_of(&self.log, more).unwrap_or_default();
        text.matches(UPLOAD_FAILED).count()
    }

    /// Files that have not reached the store, by their paths in the volume, sorted.
    pub fn unstored(&self) -> Vec<String> {
        let mut found = Vec::new();
        // Beneath it are the remote's name and its path, then those of the volume.
        walk(&self.cache.join("vfsMeta"), &mut found);
        let mut names: Vec<String> = found.iter().map(|path| self.name(path)).collect();
        names.sort();
        names
    }

    fn name(&self, path: &Path) -> String {
        let within = path.strip_prefix(self.cache.join("vfsMeta")).unwrap_or(path);
        let in_remote: PathBuf = within.components().skip(1).collect();
        let name = in_remote.strip_prefix(&self.within).unwrap_or(&in_remote);
        name.display().to_string()
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, found);
        } else if is_dirty(&path) {
            found.push(path);
        }
    }
}

/// A note that is just being written cannot be read: then the file counts as not stored.
fn is_dirty(path: &Path) -> bool {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice::<Noted>(&bytes).map_or(true, |noted| noted.dirty),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn spawn(
    arguments: &[String],
    environment: &BTreeMap<String, String>,
    log: &File,
    mark: &str,
) -> io::Result<Pid> {
    let program = arguments.first().map_or("", String::as_str);
    #[expect(clippy::disallowed_methods, reason = "the node is what starts processes")]
    let mut command = Command::new(program);
    let child = command
        .args(arguments.iter().skip(1))
        .env_clear()
        .envs(environment)
        .env(MARK, mark)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .process_group(0)
        .spawn()?;
    Ok(Pid::from_child(&child))
}

fn end_of(path: &Path, most: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last line that tells of an error, with the store's own code where there is one.
fn reason(log: &str) -> String {
    let lines: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let told = |line: &&&str| {
        ["ERROR", "CRITICAL", "Fatal", "Failed"]
            .iter()
            .any(|word| line.contains(word))
    };
    let Some(line) = lines.iter().rev().find(told).or(lines.last()) else {
        return String::new();
    };
    let code = lines
        .iter()
        .rev()
        .find_map(|line| line.split_once("ServiceCode=")?.1.split(')').next());
    let cause = lines
        .iter()
        .rev()
        .find(|line| line.contains("dial tcp") || line.contains("no such host"));
    let words = match (code, cause) {
        (Some(code), _) => format!("the store says {code}"),
        (None, Some(cause)) if cause != line => format!("{} {}", scrub(line), scrub(cause)),
        (None, _) => scrub(line),
    };
    words.chars().take(LAST_WORDS.1).collect()
}

/// Addresses without what follows their question mark: signatures stand there.
fn scrub(line: &str) -> String {
    let mut clean = String::new();
    let mut hidden = false;
    for c in line.chars() {
        match c {
            '?' => {
                clean.push_str("?…");
                hidden = true;
            }
            ' ' | '"' | '\'' | '\t' | '>' => {
                hidden = false;
                clean.push(c);
            }
            _ if hidden => {}
            _ => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_is_told_without_its_signature() {
        let log = "2026/11/28 14:32:32 ERROR : /: Dir.Stat error: -> azblob.newStorageError\n\
                   ===== RESPONSE ERROR (ServiceCode=AuthenticationFailed) =====\nDescription=\n\
                   GET http://127.0.0.1:1/acc/c?comp=list&sig=hush7391\n";
        assert_eq!(reason(log), "the store says AuthenticationFailed");
        let log = "2026/11/28 14:39:43 ERROR : z.txt: vfs cache: failed to upload try #4\n\
                   Put \"http://127.0.0.1:1/acc/c/z?sig=hush7391&x=1\": dial tcp 127.0.0.1:1: connection refused\n";
        let words = reason(log);
        assert!(
            words.contains("/acc/c/z?…\": dial tcp 127.0.0.1:1: connection refused"),
            "{words}"
        );
        assert!(!words.contains("hush7391"));
        assert_eq!(reason(""), "");
    }

    #[test]
    fn files_that_are_not_stored_are_told_by_their_names() {
        let base = tempfile::tempdir().unwrap();
        let notes = base.path().join("cache/vfsMeta/VOLUME{4BA2L}/c/out");
        fs::create_dir_all(&notes).unwrap();
        fs::write(notes.join("a"), r#"{"ModTime":"x","Size":1,"Dirty":true}"#).unwrap();
        fs::write(notes.join("b"), r#"{"Dirty":false}"#).unwrap();
        fs::write(notes.join("half"), r#"{"Dir"#).unwrap();
        let log = base.path().join("log");
        fs::write(&log, "ERROR: x: vfs cache: failed to upload try #1\n").unwrap();
        let keeper = Keeper {
            pid: rustix::process::getpid(),
            log,
            cache: base.path().join("cache"),
            within: PathBuf::from("c"),
            exit: Some(0),
        };
        assert_eq!(keeper.unstored(), ["out/a", "out/half"]);
        assert_eq!(keeper.failed_uploads(0), 1);
        assert_eq!(keeper.failed_uploads(keeper.said()), 0);
    }
}
