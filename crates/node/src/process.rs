//! Starting processes, and learning of their ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, WaitOptions, wait};
use trainyard_domain::launch::Process;
use trainyard_domain::state::BatchAiError;

use crate::fence::MARK;
use crate::first_to_die::FirstToDie;
use crate::place;

/// Code for a process that could not be started.
pub const START_FAILED: &str = "JobStartFailed";

/// Why a process could not be started, with the exit code that a shell would give.
#[derive(Debug)]
pub struct NotStarted {
    /// For its user.
    pub error: BatchAiError,
    /// 126 or 127.
    pub exit_code: i32,
}

impl NotStarted {
    /// With an exit code as of a shell, for the process `name`.
    pub fn because(exit_code: i32, name: &str, why: &str) -> NotStarted {
        NotStarted {
            error: BatchAiError {
                code: START_FAILED.to_owned(),
                message: format!("{name} could not be started: {why}."),
                details: vec![("process".to_owned(), name.to_owned())],
            },
            exit_code,
        }
    }

    /// There was nothing to start.
    pub fn nothing() -> NotStarted {
        NotStarted {
            error: BatchAiError::new(START_FAILED, ""),
            exit_code: 0,
        }
    }
}

/// A process that can be started at once: what may lie on a volume was found.
#[derive(Debug)]
pub struct Prepared {
    process: Process,
    environment: BTreeMap<String, String>,
    program: PathBuf,
    streams: [Stdio; 3],
}

/// Finds and opens what a process needs: stdin from `/dev/null`, stdout and stderr to their files. It takes as long as
/// the volumes do on which those are.
///
/// `defaults` are added where the plan's environment does not name them. Nothing is looked up after a fork,
/// so that the cheap way of starting stays open to the standard library.
pub fn prepare(process: &Process, defaults: &BTreeMap<String, String>) -> Result<Prepared, NotStarted> {
    prepare_with(process, defaults, streams(process)?)
}

/// The streams that [`prepare`] gives to a process.
pub fn streams(process: &Process) -> Result<[Stdio; 3], NotStarted> {
    let (stdout, stderr) = outputs(process).map_err(|error| failed(process, &error))?;
    Ok([Stdio::null(), stdout.into(), stderr.into()])
}

/// The same with other stdin, stdout and stderr than the files that `process` names.
pub fn prepare_with(
    process: &Process,
    defaults: &BTreeMap<String, String>,
    streams: [Stdio; 3],
) -> Result<Prepared, NotStarted> {
    let mut environment = defaults.clone();
    environment.extend(process.environment.clone());
    let name = process.arguments.first().map_or("", String::as_str);
    let program = find(name, &environment, &process.directory)
        .ok_or_else(|| not_started(127, process, "the program was not found in PATH"))?;
    if !Path::new(&process.directory).is_dir() {
        return Err(not_started(126, process, "its working directory is not there"));
    }
    Ok(Prepared {
        process: process.clone(),
        environment,
        program,
        streams,
    })
}

/// Prepares and starts it.
pub fn start_with(
    process: &Process,
    defaults: &BTreeMap<String, String>,
    mark: &str,
    streams: [Stdio; 3],
) -> Result<Pid, NotStarted> {
    prepare_with(process, defaults, streams)?.start(mark)
}

impl Prepared {
    /// What it is.
    pub fn name(&self) -> &str {
        &self.process.name
    }

    /// Whether its end decides the job's.
    pub fn decides(&self) -> bool {
        self.process.decides
    }

    /// Starts it as the leader of a process group of its own: no other descriptor than its streams (all of ours close
    /// on exec), default signals and an empty mask (the standard library sees to both).
    pub fn start(mut self, mark: &str) -> Result<Pid, NotStarted> {
        self.environment.insert(MARK.to_owned(), mark.to_owned());
        let [stdin, stdout, stderr] = self.streams;
        let arguments = &self.process.arguments;
        let _first_to_die = FirstToDie::begin();
        #[expect(clippy::disallowed_methods, reason = "the node is what starts processes")]
        let mut command = Command::new(self.program);
        let child = command
            .arg0(arguments.first().map_or("", String::as_str))
            .args(arguments.iter().skip(1))
            .env_clear()
            .envs(self.environment)
            .current_dir(&self.process.directory)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&self.process, &error))?;
        // The handle is not kept: `reap` takes note of every child, adopted ones too.
        Ok(Pid::from_child(&child))
    }
}

/// A process that is not even tried.
pub fn refused(process: &Process, why: &str) -> NotStarted {
    not_started(126, process, why)
}

fn failed(process: &Process, error: &io::Error) -> NotStarted {
    let code = match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    };
    not_started(code, process, &error.to_string())
}

/// The files for its stdout and stderr.
fn outputs(process: &Process) -> io::Result<(File, File)> {
    let open = |path: &str| -> io::Result<File> {
        let file = place::open_to_append(Path::new(path))?;
        // The process may wait for who reads it.
        fcntl_setfl(&file, OFlags::APPEND)?;
        Ok(file)
    };
    let stdout = open(&process.stdout)?;
    let stderr = if process.stderr == process.stdout {
        stdout.try_clone()?
    } else {
        open(&process.stderr)?
    };
    Ok((stdout, stderr))
}

/// The program as a shell would find it: in PATH, or by its path if it has a slash.
fn find(name: &str, environment: &BTreeMap<String, String>, directory: &str) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    if name.contains('/') {
        return Some(Path::new(directory).join(name));
    }
    let path = environment.get("PATH").map_or("", String::as_str);
    path.split(':')
        .map(|entry| Path::new(directory).join(entry).join(name))
        .find(|candidate| {
            fs::metadata(candidate).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}

fn not_started(exit_code: i32, process: &Process, why: &str) -> NotStarted {
    NotStarted::because(exit_code, &process.name, why)
}

/// Takes note of all children that have ended, with their exit codes as a shell says them.
pub fn reap() -> Vec<(Pid, i32)> {
    let mut ended = Vec::new();
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        let code = status
            .exit_status()
            .or(status.terminating_signal().map(|n| 128 + n));
        ended.extend(code.map(|code| (pid, code)));
    }
    ended
}
