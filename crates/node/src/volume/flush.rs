//! Waiting until all that was written to volumes has reached their stores.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::state::BatchAiError;

use super::keep::{Keep, Kept};
use crate::errand::{Errand, Running};
use crate::fence::Fence;
use crate::machine::processes;

/// Code of a volume that did not take all that was written to it.
pub const NOT_STORED: &str = "VolumeNotStored";

/// Longest time to wait for one volume as long as it does not fail.
const FLUSH_WITHIN: Duration = Duration::from_secs(3600);
/// A store that has failed as often as this, and taken nothing for as long as this, is given up.
const GIVE_UP: (usize, Duration) = (2, Duration::from_secs(30));
/// Longest time without progress for what somebody wants to be over.
const HURRIED: Duration = Duration::from_secs(30);
/// First and longest pause between looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// When to ask which files are held open by something that goes on, such as what a setup task left running.
const ASK_WHO_HOLDS: Duration = Duration::from_secs(3);
/// Most names in a message.
const MOST_NAMES: usize = 5;

/// Volumes of a node being flushed, one after another.
#[derive(Debug)]
pub struct Flush {
    left: VecDeque<u32>,
    doing: Option<(u32, Doing)>,
    errors: Vec<BatchAiError>,
    /// Since when somebody wants it to be over.
    hurried: Option<Duration>,
    given_up: Vec<u32>,
}

#[derive(Debug)]
enum Doing {
    /// A keeper has files that it has not brought to the store.
    Watching(Watch),
    /// The kernel is told to write.
    Syncing(Running),
}

/// How long a keeper is watched, and what it has done since.
#[derive(Debug, Clone, Copy)]
struct Watch {
    began: Duration,
    progress: Duration,
    left: usize,
    log_from: u64,
    look_at: Duration,
    pause: Duration,
}

/// What a look at a keeper showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Clean,
    Wait,
    GiveUp,
}

impl Flush {
    /// Of these volumes.
    pub fn new(of: impl IntoIterator<Item = u32>) -> Flush {
        Flush {
            left: of.into_iter().collect(),
            doing: None,
            errors: Vec::new(),
            hurried: None,
            given_up: Vec::new(),
        }
    }

    /// Somebody wants it to be over: a volume that makes no progress is waited for half a minute from now on.
    pub fn hurry(&mut self, now: Duration) {
        if self.hurried.is_some() {
            return;
        }
        self.hurried = Some(now);
        if let Some((_, Doing::Syncing(running))) = &mut self.doing {
            running.hurry(now + HURRIED);
        }
    }

    /// Those that did not take all: nothing more is to be hoped of them.
    pub fn given_up(&self) -> &[u32] {
        &self.given_up
    }

    fn within(&self) -> Duration {
        self.hurried.map_or(FLUSH_WITHIN, |_| HURRIED)
    }

    /// When to come again, if nothing ends before.
    pub fn wake_at(&self) -> Option<Duration> {
        self.doing.as_ref().map(|(_, doing)| match doing {
            Doing::Watching(watch) => watch.look_at,
            Doing::Syncing(running) => running.wake_at(),
        })
    }

    /// Takes note of processes that have ended.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) {
        if let Some((_, Doing::Syncing(running))) = &mut self.doing {
            running.hear(ended);
        }
    }

    /// Goes on; at the end what did not reach its store.
    pub fn step(&mut self, now: Duration, keep: &Keep, fence: &Fence) -> Poll<Vec<BatchAiError>> {
        let (hurried, within) = (self.hurried, self.within());
        loop {
            if let Some((id, doing)) = &mut self.doing {
                let kept = keep.get(*id);
                let error = match (doing, kept) {
                    (_, None) => None,
                    (Doing::Syncing(running), Some(kept)) => match running.step(now) {
                        None => return Poll::Pending,
                        Some(Ok(())) => None,
                        Some(Err(failed)) => Some(unsynced(kept, &failed.to_string())),
                    },
                    (Doing::Watching(watch), Some(kept)) => match watch.step(now, hurried, kept) {
                        None => return Poll::Pending,
                        Some(lost) => (!lost.is_empty()).then(|| unstored(kept, &lost)),
                    },
                };
                self.given_up.extend(error.is_some().then_some(*id));
                self.errors.extend(error);
                self.doing = None;
            }
            let Some(id) = self.left.pop_front() else {
                return Poll::Ready(std::mem::take(&mut self.errors));
            };
            let Some(kept) = keep.get(id) else { continue };
            if kept.keeper.is_some() {
                self.doing = Some((id, Doing::Watching(Watch::new(now, kept))));
                continue;
            }
            let errand = Errand {
                name: format!("sync of {}", kept.shown_at),
                arguments: ["sync".to_owned(), "-f".to_owned(), kept.at.display().to_string()].into(),
                environment: keep.environment.clone(),
                within,
            };
            match errand.start(fence, now) {
                Ok(running) => self.doing = Some((id, Doing::Syncing(running))),
                Err(failed) => self.errors.push(unsynced(kept, &failed.to_string())),
            }
        }
    }
}

impl Watch {
    fn new(now: Duration, kept: &Kept) -> Watch {
        Watch {
            began: now,
            progress: now,
            left: usize::MAX,
            log_from: kept.keeper.as_ref().map_or(0, super::keeper::Keeper::said),
            look_at: now,
            pause: PAUSES.0,
        }
    }

    /// What is left unstored when there is no more to wait for.
    fn step(&mut self, now: Duration, hurried: Option<Duration>, kept: &Kept) -> Option<Vec<String>> {
        if now < self.look_at {
            return None;
        }
        let keeper = kept.keeper.as_ref()?;
        let mut unstored = keeper.unstored();
        if !unstored.is_empty() && now >= self.began + ASK_WHO_HOLDS {
            let held = held_open();
            unstored.retain(|name| !kept.paths(name).any(|path| held.contains(&path)));
        }
        let failures = keeper.failed_uploads(self.log_from);
        match self.look(unstored.len(), failures, keeper.is_over(), hurried, now) {
            Look::Clean | Look::GiveUp => Some(unstored),
            Look::Wait => {
                self.look_at = now + self.pause;
                self.pause = (self.pause * 2).min(PAUSES.1);
                None
            }
        }
    }

    fn look(
        &mut self,
        unstored: usize,
        failures: usize,
        over: bool,
        hurried: Option<Duration>,
        now: Duration,
    ) -> Look {
        if unstored < self.left {
            (self.left, self.progress) = (unstored, now);
        }
        let late = hurried.is_some_and(|since| now >= since.max(self.progress) + HURRIED);
        let stuck = late || (failures >= GIVE_UP.0 && now >= self.progress + GIVE_UP.1);
        if unstored == 0 {
            Look::Clean
        } else if over || stuck || now >= self.began + FLUSH_WITHIN {
            Look::GiveUp
        } else {
            Look::Wait
        }
    }
}

/// What the kernel puts behind the path of a file whose name it has forgotten. A volume's has it too when its name was
/// only looked up anew.
const FORGOTTEN: &[u8] = b" (deleted)";

/// What all processes hold open. Links are read only, no file is touched.
fn held_open() -> BTreeSet<PathBuf> {
    let folders = processes()
        .into_iter()
        .map(|pid| format!("/proc/{}/fd", pid.as_raw_pid()));
    folders
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(known_as)
        .collect()
}

fn known_as(path: PathBuf) -> PathBuf {
    let name = path.as_os_str().as_bytes();
    match name.strip_suffix(FORGOTTEN) {
        Some(known) => PathBuf::from(OsStr::from_bytes(known)),
        None => path,
    }
}

fn unsynced(kept: &Kept, why: &str) -> BatchAiError {
    let message = format!(
        "What was written to the volume at {} may not have reached its store. Look there before you use it.",
        kept.shown_at
    );
    failure(message, why.to_owned())
}

fn unstored(kept: &Kept, names: &[String]) -> BatchAiError {
    let some = names
        .iter()
        .take(MOST_NAMES)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    let more = names.len().saturating_sub(MOST_NAMES);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let message = format!(
        "{} of the files written to the volume at {} did not reach the store: {some}{more}. See that it can be reached \
         and has room, then run the job again.",
        names.len(),
        kept.shown_at
    );
    let words = kept.keeper.as_ref().map(super::keeper::Keeper::last_words);
    failure(message, words.unwrap_or_default())
}

fn failure(message: String, why: String) -> BatchAiError {
    BatchAiError {
        details: vec![("Info".to_owned(), why)],
        ..BatchAiError::new(NOT_STORED, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn watch() -> Watch {
        Watch {
            began: seconds(100),
            progress: seconds(100),
            left: usize::MAX,
            log_from: 0,
            look_at: seconds(100),
            pause: PAUSES.0,
        }
    }

    #[test]
    fn it_waits_while_there_is_hope() {
        let mut watch = watch();
        assert_eq!(watch.look(3, 0, false, None, seconds(100)), Look::Wait);
        assert_eq!(
            watch.look(3, 1, false, None, seconds(1000)),
            Look::Wait,
            "a large file takes long"
        );
        assert_eq!(
            watch.look(2, 5, false, None, seconds(1001)),
            Look::Wait,
            "it goes on"
        );
        assert_eq!(watch.look(2, 5, false, None, seconds(1030)), Look::Wait);
        assert_eq!(watch.look(0, 5, false, None, seconds(1031)), Look::Clean);
    }

    #[test]
    fn it_ends_when_there_is_none() {
        let mut stuck = watch();
        assert_eq!(stuck.look(1, 2, false, None, seconds(100)), Look::Wait);
        assert_eq!(stuck.look(1, 2, false, None, seconds(130)), Look::GiveUp);
        assert_eq!(
            watch().look(1, 0, true, None, seconds(101)),
            Look::GiveUp,
            "nobody stores it"
        );
        let mut endless = watch();
        assert_eq!(endless.look(1, 0, false, None, seconds(100)), Look::Wait);
        assert_eq!(endless.look(1, 0, false, None, seconds(3700)), Look::GiveUp);
    }

    #[test]
    fn what_somebody_wants_to_be_over_waits_for_progress_alone() {
        let since = Some(seconds(500));
        let mut watch = watch();
        assert_eq!(watch.look(2, 0, false, since, seconds(501)), Look::Wait);
        assert_eq!(watch.look(1, 0, false, since, seconds(529)), Look::Wait);
        assert_eq!(
            watch.look(1, 0, false, since, seconds(558)),
            Look::Wait,
            "it goes on"
        );
        assert_eq!(watch.look(1, 0, false, since, seconds(559)), Look::GiveUp);
    }
}
