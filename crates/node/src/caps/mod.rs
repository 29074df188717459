//! How much an attempt writes, looked at from outside while it runs. A job with too much is ended, with an error that
//! says why.
//!
//! Its processes hold their files themselves, so nothing can be refused to them: a job may be over its limit for as long
//! as it takes until the next look. A look costs a few system calls; directories are gone over only where a limit of
//! `AZ_BATCHAI_JOB_TEMP` asks for that, or when the disk is nearly full.

mod blame;
mod measure;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::statvfs;
use trainyard_domain::launch::{Caps as Limits, LaunchPlan};
use trainyard_domain::state::BatchAiError;

use crate::machine::since_boot;
use crate::view::{Doing, View};
pub use measure::disk_bytes;

use blame::{Blame, Board, Line, State, judge, last_ended};
use measure::Trees;

/// Code for a job whose stdout or stderr is too long.
const OUTPUT_LIMIT: &str = "JobOutputLimitExceeded";
/// Code for a job that keeps too much in its job directory.
const TEMP_LIMIT: &str = "JobTempLimitExceeded";
/// Code for the job that fills the node's disk.
const DISK_FULL: &str = "NodeDiskFull";

/// Longest time between looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Shortest time between looks; the first comes after it too, to learn how fast the disk fills.
const LOOK_SOON: Duration = Duration::from_millis(100);
/// Shortest time between two counts of the job directory, and how many times longer than a count the time to the next
/// one is.
const COUNT_EVERY: Duration = Duration::from_secs(5);
const COUNT_SHARE: u32 = 50;
/// How long the node waits for a look at streams. On a volume that hangs it takes longer, and is asked for later.
const LOOK_WITHIN: Duration = Duration::from_millis(200);
/// The floor is at most this part of a disk, so that a small one can be used at all.
const FLOOR_SHARE: u64 = 8;
/// A job is blamed for a full disk only if it grew by this part of the floor: ending one that wrote next to nothing
/// would help nobody.
const BLAME_SHARE: u64 = 8;

/// Watches one attempt.
#[derive(Debug)]
pub struct Caps {
    limits: Limits,
    view: Arc<View>,
    streams: Arc<Vec<PathBuf>>,
    /// A look at them that takes long.
    looking: Option<Doing<LongStream>>,
    job_directory: PathBuf,
    job_temp: Arc<Trees>,
    look_at: Duration,
    count_at: Duration,
    disk: Option<Disk>,
}

/// A stream that is too long, and how long.
type LongStream = Option<(PathBuf, u64)>;

/// The file system that the job directory lies on.
#[derive(Debug)]
struct Disk {
    device: u64,
    /// All that the job writes there.
    trees: Arc<Trees>,
    /// What it had written at `counts_from`.
    before: u64,
    counts_from: Duration,
    free: (Duration, u64),
    /// Since when less than the floor is free, and the pause until the next look.
    full: Option<(Duration, Duration)>,
    board: Board,
}

impl Caps {
    /// Watches the attempt of `plan`, for which `found` is there in `view`, on the node in `folder`.
    pub fn new(plan: &LaunchPlan, found: Found, view: &Arc<View>, folder: &Path, now: Duration) -> Caps {
        let processes = plan.processes.iter().chain(&plan.preparation);
        let streams: BTreeSet<&str> = processes
            .flat_map(|process| [process.stdout.as_str(), process.stderr.as_str()])
            .collect();
        let mut caps = Caps {
            limits: plan.caps,
            view: Arc::clone(view),
            streams: Arc::new(streams.into_iter().map(PathBuf::from).collect()),
            looking: None,
            job_directory: PathBuf::from(&plan.job_directory),
            job_temp: Arc::new(found.job_temp),
            look_at: now + LOOK_SOON,
            count_at: now + COUNT_EVERY,
            disk: None,
        };
        if plan.caps.disk_floor > 0 {
            let trees = Arc::new(found.all);
            let before = caps.count(&trees);
            caps.disk = Some(Disk::new(trees, before, found.device, folder, now));
        }
        caps
    }

    fn count(&self, trees: &Arc<Trees>) -> u64 {
        let trees = Arc::clone(trees);
        self.view.run(move || trees.bytes())
    }

    /// When to look again, since boot.
    pub fn next_look(&self) -> Duration {
        self.look_at
    }

    /// Why the attempt is to be ended, if so.
    pub fn look(&mut self, now: Duration) -> Option<BatchAiError> {
        self.look_at = now + LOOK_EVERY;
        let found = self.long_stream();
        found
            .or_else(|| self.large_directory(now))
            .or_else(|| self.full_disk(now, true))
    }

    /// The same of an attempt that has failed by itself: why, if it is one of these reasons.
    pub fn last_look(&mut self, now: Duration) -> Option<BatchAiError> {
        self.count_at = now;
        let found = self.long_stream();
        found
            .or_else(|| self.large_directory(now))
            .or_else(|| self.full_disk(now, false))
    }

    fn long_stream(&mut self) -> Option<BatchAiError> {
        let most = self.limits.stdout;
        if most == 0 {
            return None;
        }
        let (path, length) = self.look_at_streams(most)?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let message = format!(
            "{name} has {}, more than the {} that limits.stdout_bytes allows, so the job was ended. Have it print \
             less or write to an output directory, or have the limit raised.",
            words(length),
            words(most)
        );
        let facts = [
            ("file", name),
            ("bytes", length.to_string()),
            ("limit", most.to_string()),
        ];
        Some(error(OUTPUT_LIMIT, message, facts))
    }

    fn look_at_streams(&mut self, most: u64) -> LongStream {
        if let Some(looking) = &mut self.looking {
            let found = looking.poll()?;
            self.looking = None;
            return found;
        }
        let streams = Arc::clone(&self.streams);
        let looked = self.view.within(LOOK_WITHIN, move || too_long(&streams, most));
        looked.unwrap_or_else(|looking| {
            self.looking = Some(looking);
            None
        })
    }

    fn large_directory(&mut self, now: Duration) -> Option<BatchAiError> {
        let most = self.limits.job_temp;
        if most == 0 || now < self.count_at {
            self.look_at = if most == 0 {
                self.look_at
            } else {
                self.look_at.min(self.count_at)
            };
            return None;
        }
        let begun = since_boot();
        let bytes = self.count(&self.job_temp);
        let took = since_boot().saturating_sub(begun);
        self.count_at = now + COUNT_EVERY.max(took * COUNT_SHARE);
        self.look_at = self.look_at.min(self.count_at);
        if bytes <= most {
            return None;
        }
        let message = format!(
            "The job keeps {} in AZ_BATCHAI_JOB_TEMP, more than the {} that limits.job_temp_bytes allows, so it was \
             ended. Have it delete what it no longer needs or write to an output directory, or have the limit raised.",
            words(bytes),
            words(most)
        );
        let facts = [
            ("directory", self.job_directory.display().to_string()),
            ("bytes", bytes.to_string()),
            ("limit", most.to_string()),
        ];
        Some(error(TEMP_LIMIT, message, facts))
    }

    fn full_disk(&mut self, now: Duration, wait: bool) -> Option<BatchAiError> {
        let directory = self.job_directory.clone();
        let found = self
            .disk
            .as_ref()
            .and_then(|_| self.view.run(move || statvfs(directory)).ok())?;
        let total = found.f_blocks.saturating_mul(found.f_frsize);
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        let floor = self.limits.disk_floor.min(total / FLOOR_SHARE);
        let disk = self.disk.as_mut()?;
        self.look_at = self.look_at.min(now + disk.pace(now, free, floor));
        let (since, _) = disk.full?;
        let trees = Arc::clone(&disk.trees);
        let bytes = self.count(&trees);
        let grown = self
            .disk
            .as_mut()?
            .blamed(bytes, now, since, floor / BLAME_SHARE, wait)?;
        let message = format!(
            "The node's disk has {} of {} free, less than the {} that limits.disk_floor keeps, and this job grew most: \
             by {} in its directories. It was ended so that the others go on. Have it write less or to a volume \
             elsewhere, or have the disk cleared: `trainyard gc` shows what can go.",
            words(free),
            words(total),
            words(floor),
            words(grown)
        );
        let facts = [
            ("free", free.to_string()),
            ("floor", floor.to_string()),
            ("grownBy", grown.to_string()),
            ("jobTemp", self.count(&self.job_temp).to_string()),
        ];
        Some(error(DISK_FULL, message, facts))
    }
}

impl Disk {
    fn new(trees: Arc<Trees>, before: u64, device: u64, folder: &Path, now: Duration) -> Disk {
        let line = Line {
            device,
            grown: 0,
            at: now,
            state: State::Running,
        };
        Disk {
            device,
            before,
            counts_from: now,
            trees,
            free: (now, u64::MAX),
            full: None,
            board: Board::new(folder, line),
        }
    }

    /// Takes in how much is free; how long the next look has time: half of what the disk needs to fill as fast as it
    /// did since the last one.
    fn pace(&mut self, now: Duration, free: u64, floor: u64) -> Duration {
        if free < floor {
            let (since, pause) = self.full.unwrap_or((now, LOOK_SOON / 2));
            let pause = (pause * 2).min(LOOK_EVERY);
            self.full = Some((since, pause));
            return pause;
        }
        self.full = None;
        let (then, before) = std::mem::replace(&mut self.free, (now, free));
        let lost = before.saturating_sub(free);
        let first = before == u64::MAX;
        if first || lost == 0 {
            return if first { LOOK_SOON } else { LOOK_EVERY };
        }
        let spent = now.saturating_sub(then).as_secs_f64();
        let left = (free - floor) as f64 / lost as f64 * spent / 2.0;
        Duration::from_secs_f64(left.clamp(LOOK_SOON.as_secs_f64(), LOOK_EVERY.as_secs_f64()))
    }

    /// By how much this job, whose files have so many `bytes` now, grew, if it is the one that fills the disk.
    fn blamed(&mut self, bytes: u64, now: Duration, since: Duration, least: u64, wait: bool) -> Option<u64> {
        let _turn = self.board.turn()?;
        let others = self.board.others();
        if let Some(ended) = last_ended(&others, self.device)
            && ended > self.counts_from
        {
            // Somebody was ended for this; what was written before is no reason to end another.
            (self.before, self.counts_from) = (bytes, now);
        }
        let mut own = Line {
            device: self.device,
            grown: bytes.saturating_sub(self.before),
            at: now,
            state: State::Running,
        };
        let blame = judge(&own, &others, since, least.max(1), wait);
        if blame == Blame::This {
            own.state = State::Ended;
        }
        self.board.say(own);
        (blame == Blame::This).then_some(own.grown)
    }
}

/// What an attempt writes to, as it was found in its view.
#[derive(Debug)]
pub struct Found {
    device: u64,
    job_temp: Trees,
    all: Trees,
}

impl Found {
    /// Looks for it, once its directories are there. They may be on volumes. Files in `temporary` count as the job's,
    /// whoever else may lay some there: one job runs at a time.
    pub fn of(plan: &LaunchPlan, temporary: Option<&str>) -> Found {
        let device = fs::metadata(&plan.job_directory).map_or(0, |found| found.dev());
        let mounts = plan.mounts.iter().map(|mount| PathBuf::from(&mount.path));
        let shared = &plan.shared_directory;
        let foreign: Vec<PathBuf> = mounts.chain([PathBuf::from(&shared.path)]).collect();
        let own = [plan.job_directory.as_str()];
        // What all nodes share is the first one's to answer for. An isolated job sees it at its path alone.
        let shared = [shared.source.as_str(), shared.path.as_str()];
        let shared = shared.into_iter().filter(|_| plan.node_index == 0);
        let outputs = plan.directories.iter().map(String::as_str);
        let all = own.into_iter().chain(shared).chain(outputs).chain(temporary);
        Found {
            device,
            job_temp: Trees::new(own.into_iter(), foreign.clone(), device),
            all: Trees::new(all, foreign, device),
        }
    }
}

fn too_long(streams: &[PathBuf], most: u64) -> Option<(PathBuf, u64)> {
    streams.iter().find_map(|path| {
        let found = fs::symlink_metadata(path).ok()?;
        (found.is_file() && found.len() > most).then(|| (path.clone(), found.len()))
    })
}

fn error<const N: usize>(code: &str, message: String, facts: [(&str, String); N]) -> BatchAiError {
    BatchAiError {
        code: code.to_owned(),
        message,
        details: facts.map(|(name, value)| (name.to_owned(), value)).into(),
    }
}

/// A number of bytes in words.
fn words(bytes: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.iter().find(|(_, shift)| bytes >> shift >= 10);
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(unit, shift)| format!("{} {unit}", bytes >> shift),
    )
}

#[cfg(test)]
mod tests;
