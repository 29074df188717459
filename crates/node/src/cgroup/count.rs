//! What the kernel counts of a node's memory and processes, read before and after an attempt.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{EventfdFlags, eventfd};

use super::tree::Controller;

/// Where the kernel counts.
#[derive(Debug, Default)]
pub struct Counters {
    memory: Option<Memory>,
    pids: Option<PathBuf>,
}

#[derive(Debug)]
enum Memory {
    Unified(PathBuf),
    Separate {
        home: PathBuf,
        /// The directory below it in which processes stand: those that were killed count there.
        standing: PathBuf,
        /// Told each time that memory runs out, wherever below the process is that is killed: a v1 directory counts its
        /// own processes alone, and those of containers are gone with their counts.
        told: Option<OwnedFd>,
    },
}

/// What stood there before.
#[derive(Debug, Default)]
pub struct Before {
    killed: u64,
    refused: u64,
    /// Counts the highest use since it was opened.
    peak: Option<File>,
}

/// What happened since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Since {
    /// Processes that were killed for want of memory.
    pub killed: u64,
    /// Highest use of memory in bytes, where the kernel tells.
    pub highest: Option<u64>,
    /// Processes and threads that were not started because there were too many.
    pub refused: u64,
}

impl Counters {
    /// Counts in the node's directory of a controller; in a v1 tree processes stand in `standing` below it.
    pub fn watch(&mut self, one: Controller, home: &Path, standing: Option<&Path>) {
        match (one, standing) {
            (Controller::Cpu, _) => {}
            (Controller::Memory, None) => self.memory = Some(Memory::Unified(home.to_owned())),
            (Controller::Memory, Some(standing)) => {
                self.memory = Some(Memory::Separate {
                    home: home.to_owned(),
                    standing: standing.to_owned(),
                    told: listen(home).ok(),
                });
            }
            (Controller::Pids, _) => self.pids = Some(standing.unwrap_or(home).to_owned()),
        }
    }

    /// Reads what stands there, and begins to look for the highest use of memory anew.
    pub fn begin(&self) -> Before {
        self.was_told();
        Before {
            killed: self.killed(),
            refused: self.refused(),
            peak: self.memory.as_ref().and_then(Memory::reset_peak),
        }
    }

    /// What happened since.
    pub fn since(&self, before: &mut Before) -> Since {
        let counted = self.killed().saturating_sub(before.killed);
        let killed = counted.max(u64::from(self.was_told()));
        let memory = self.memory.as_ref();
        Since {
            killed,
            // Of interest only then.
            highest: memory
                .filter(|_| killed > 0)
                .and_then(|memory| memory.peak(before.peak.as_mut())),
            refused: self.refused().saturating_sub(before.refused),
        }
    }

    fn killed(&self) -> u64 {
        match &self.memory {
            Some(Memory::Unified(home)) => field(&home.join("memory.events"), "oom_kill"),
            Some(Memory::Separate { standing, .. }) => {
                field(&standing.join("memory.oom_control"), "oom_kill")
            }
            None => 0,
        }
    }

    /// Whether memory has run out since this was last asked.
    fn was_told(&self) -> bool {
        let Some(Memory::Separate { told: Some(told), .. }) = &self.memory else {
            return false;
        };
        rustix::io::read(told, &mut [0_u8; 8]).is_ok()
    }

    fn refused(&self) -> u64 {
        let home = self.pids.as_ref();
        home.map_or(0, |home| field(&home.join("pids.events"), "max"))
    }
}

impl Memory {
    /// In v2 each open file has a highest use of its own, where the kernel is new enough; else that of the node's whole
    /// life is told.
    fn reset_peak(&self) -> Option<File> {
        match self {
            Memory::Unified(home) => {
                let mut file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .open(home.join("memory.peak"))
                    .ok()?;
                file.write_all(b"reset").ok()?;
                Some(file)
            }
            Memory::Separate { home, .. } => {
                let _ = fs::write(home.join("memory.max_usage_in_bytes"), "0");
                None
            }
        }
    }

    fn peak(&self, own: Option<&mut File>) -> Option<u64> {
        let text = match (self, own) {
            (Memory::Unified(_), Some(file)) => {
                let mut text = String::new();
                file.seek(SeekFrom::Start(0)).ok()?;
                file.read_to_string(&mut text).ok()?;
                text
            }
            (Memory::Unified(home), None) => fs::read_to_string(home.join("memory.peak")).ok()?,
            (Memory::Separate { home, .. }, _) => {
                fs::read_to_string(home.join("memory.max_usage_in_bytes")).ok()?
            }
        };
        text.trim().parse().ok()
    }
}

/// Has the kernel tell when memory runs out in a v1 directory.
fn listen(home: &Path) -> io::Result<OwnedFd> {
    let told = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let control = File::open(home.join("memory.oom_control"))?;
    let order = format!("{} {}", told.as_raw_fd(), control.as_raw_fd());
    fs::write(home.join("cgroup.event_control"), order)?;
    Ok(told)
}

/// The number behind a name; 0 where there is none.
fn field(path: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(found, _)| *found == name)
        .and_then(|(_, number)| number.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(unified: bool, files: [(&str, &str); 3], later: [(&str, &str); 3]) -> Since {
        let home = tempfile::tempdir().unwrap();
        let write = |files: [(&str, &str); 3]| {
            for (name, text) in files {
                fs::write(home.path().join(name), text).unwrap();
            }
        };
        write(files);
        let mut counters = Counters::default();
        for one in Controller::ALL {
            counters.watch(one, home.path(), (!unified).then_some(home.path()));
        }
        let mut before = counters.begin();
        write(later);
        counters.since(&mut before)
    }

    #[test]
    fn v2_is_read() {
        let since = told(
            true,
            [
                (
                    "memory.events",
                    "low 0\nhigh 0\nmax 1\noom 1\noom_kill 1\noom_group_kill 0\n",
                ),
                ("memory.peak", "77\n"),
                ("pids.events", "max 4\n"),
            ],
            [
                (
                    "memory.events",
                    "low 0\nhigh 0\nmax 9\noom 3\noom_kill 3\noom_group_kill 0\n",
                ),
                ("memory.peak", "4096\n"),
                ("pids.events", "max 4\n"),
            ],
        );
        let expected = Since {
            killed: 2,
            highest: Some(4096),
            refused: 0,
        };
        assert_eq!(since, expected);
    }

    #[test]
    fn v1_is_read() {
        let control = |kills| format!("oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n");
        let since = told(
            false,
            [
                ("memory.oom_control", &control(0)),
                ("memory.max_usage_in_bytes", "9999\n"),
                ("pids.events", "max 0\n"),
            ],
            [
                ("memory.oom_control", &control(1)),
                ("memory.max_usage_in_bytes", "67108864\n"),
                ("pids.events", "max 12\n"),
            ],
        );
        let expected = Since {
            killed: 1,
            highest: Some(67_108_864),
            refused: 12,
        };
        assert_eq!(since, expected);
    }

    #[test]
    fn nothing_is_told_where_nothing_is_counted() {
        let counters = Counters::default();
        assert_eq!(counters.since(&mut counters.begin()), Since::default());
    }
}
