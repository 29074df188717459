//! Programs that the node runs for itself, such as one that mounts a volume: awaited beside everything else that it does.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::fence::{Fence, MARK};

/// How long a killed errand may take until it is given up: one that hangs in the kernel may never end.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// Most bytes kept of what an errand said; the last ones.
const MOST_SAID: u64 = 4096;

/// A program that the node runs for itself.
#[derive(Clone)]
pub struct Errand {
    /// What it does, in words: `mount of /mnt/x`.
    pub name: String,
    /// Program and arguments. Never a secret: everybody on the machine may read them.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Longest time it may take.
    pub within: Duration,
}

/// Secrets may stand in its environment.
impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Errand")
            .field("name", &self.name)
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}

/// Why an errand did not do what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What happened, in words.
    pub why: String,
    /// The last of what it said on stdout and stderr.
    pub said: String,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.said.trim() {
            "" => f.write_str(&self.why),
            said => write!(f, "{}: {said}", self.why),
        }
    }
}

/// An errand that runs.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    name: String,
    within: Duration,
    kill_at: Duration,
    killed: bool,
    exit: Option<i32>,
    said: File,
}

impl Errand {
    /// Starts it outside of what belongs to an attempt. Times are since boot.
    pub fn start(&self, fence: &Fence, now: Duration) -> Result<Running, Failed> {
        let failed = |error: io::Error| Failed {
            why: format!("{} could not be started, {error}", self.name),
            said: String::new(),
        };
        let said: File = memfd_create("said", MemfdFlags::CLOEXEC)
            .map_err(|error| failed(error.into()))?
            .into();
        let pid = fence.outside(|mark| self.spawn(&said, mark)).map_err(failed)?;
        Ok(Running {
            pid,
            name: self.name.clone(),
            within: self.within,
            kill_at: now.saturating_add(self.within),
            killed: false,
            exit: None,
            said,
        })
    }

    fn spawn(&self, said: &File, mark: &str) -> io::Result<Pid> {
        let program = self.arguments.first().map_or("", String::as_str);
        #[expect(clippy::disallowed_methods, reason = "the node is what starts processes")]
        let mut command = Command::new(program);
        let child = command
            .args(self.arguments.iter().skip(1))
            .env_clear()
            .envs(&self.environment)
            .env(MARK, mark)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said.try_clone()?)
            .process_group(0)
            .spawn()?;
        Ok(Pid::from_child(&child))
    }
}

impl Running {
    /// When to call [`Running::step`] again, if it does not end before.
    pub fn wake_at(&self) -> Duration {
        self.kill_at
    }

    /// Takes note of processes that have ended, with their exit codes.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) {
        if let Some((_, code)) = ended.iter().find(|(pid, _)| *pid == self.pid) {
            self.exit = Some(*code);
        }
    }

    /// Whether it has ended, and how. It is killed when its time is over.
    pub fn step(&mut self, now: Duration) -> Option<Result<(), Failed>> {
        match self.exit {
            Some(0) => return Some(Ok(())),
            Some(_) if self.killed => return Some(Err(self.failed(self.too_long()))),
            Some(code) => {
                return Some(Err(
                    self.failed(format!("{} ended with exit code {code}", self.name))
                ));
            }
            None => {}
        }
        if now < self.kill_at {
            return None;
        }
        if self.killed {
            return Some(Err(self.failed(self.too_long())));
        }
        self.kill(now);
        None
    }

    /// It has no more time than until then.
    pub fn hurry(&mut self, until: Duration) {
        self.kill_at = self.kill_at.min(until);
    }

    /// The last of what it has said on stdout and stderr.
    pub fn said(&self) -> String {
        last_of(&self.said).unwrap_or_default()
    }

    /// Kills it, and all that it started in its process group.
    pub fn kill(&mut self, now: Duration) {
        self.killed = true;
        self.kill_at = now + LAST_WAIT;
        let _ = kill_process_group(self.pid, Signal::KILL);
    }

    fn too_long(&self) -> String {
        format!("{} took longer than {} s", self.name, self.within.as_secs())
    }

    fn failed(&self, why: String) -> Failed {
        let said = last_of(&self.said).unwrap_or_default();
        Failed { why, said }
    }
}

fn last_of(mut file: &File) -> io::Result<String> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(MOST_SAID)))?;
    let mut bytes = Vec::new();
    file.take(MOST_SAID).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
