//! The only place of xtask that touches the environment, the clock and other programs.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What the tasks know of the machine they run on, read once at the start.
pub struct World {
    /// The repository's root folder.
    pub root: PathBuf,
    /// `CI=true`: nothing may be left out.
    pub ci: bool,
    cargo: OsString,
    inherited: Vec<OsString>,
}

/// How a program ended.
pub struct Ended {
    pub code: Option<i32>,
    pub timed_out: bool,
}

impl Ended {
    pub fn success(&self) -> bool {
        self.code == Some(0) && !self.timed_out
    }
}

impl World {
    /// Reads the environment, and the arguments after the program's name.
    #[expect(
        clippy::disallowed_methods,
        reason = "xtask's main reads its environment here, once"
    )]
    pub fn of_this_process() -> Result<(World, Vec<OsString>)> {
        let root = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(own) => Path::new(&own)
                .parent()
                .context("xtask's folder has no parent")?
                .to_path_buf(),
            None => std::env::current_dir()?,
        };
        let inherited = std::env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| is_of_cargo_run(name))
            .collect();
        let world = World {
            root,
            ci: std::env::var_os("CI").is_some_and(|value| value == "true"),
            cargo: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
            inherited,
        };
        Ok((world, std::env::args_os().skip(1).collect()))
    }

    /// A program, to be started in the repository's root.
    #[expect(
        clippy::disallowed_methods,
        reason = "every program xtask starts is made here"
    )]
    pub fn program(&self, name: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(name);
        command.current_dir(&self.root).stdin(Stdio::null());
        // Build scripts look at these names: left in place, they make cargo rebuild at each change of caller.
        for name in &self.inherited {
            command.env_remove(name);
        }
        command
    }

    /// The cargo that runs us, with these arguments.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(&self.cargo);
        command.args(arguments);
        command
    }

    /// Whether a program can be started and ends well; its output is thrown away.
    pub fn works(&self, mut command: Command) -> bool {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Runs a program and hands over its lines, of both streams, as they come.
    ///
    /// After `limit` the program and all its descendants are killed. Something the program left behind with its
    /// streams open cannot hold us up: once the program is gone, the rest is read for two more seconds.
    pub fn stream(&self, mut command: Command, limit: Duration, mut each: impl FnMut(&str)) -> Result<Ended> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = command.get_program().to_owned();
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {}", name.display()))?;
        let (send, lines) = channel();
        if let Some(out) = child.stdout.take() {
            read_lines(out, send.clone());
        }
        if let Some(err) = child.stderr.take() {
            read_lines(err, send);
        }
        let mut deadline = now() + limit;
        let mut ended = None;
        let mut timed_out = false;
        loop {
            match lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => each(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if ended.is_none()
                && let Some(status) = child.try_wait()?
            {
                ended = Some(status);
                deadline = now() + Duration::from_secs(2);
            }
            if now() >= deadline {
                if ended.is_none() {
                    timed_out = true;
                    self.kill_all_of(&mut child);
                }
                break;
            }
        }
        let status = match ended {
            Some(status) => status,
            None => child.wait()?,
        };
        Ok(Ended {
            code: status.code(),
            timed_out,
        })
    }

    fn kill_all_of(&self, child: &mut Child) {
        let mut kill = self.program("kill");
        kill.arg("-KILL")
            .args(descendants(child.id()).iter().map(u32::to_string));
        // The program itself is killed below whatever becomes of this.
        let _ = self.works(kill);
        let _ = child.kill();
    }
}

/// The clock, for showing how long a step took and for limits.
#[expect(clippy::disallowed_methods, reason = "the one clock of xtask")]
pub fn now() -> Instant {
    Instant::now()
}

/// Names that `cargo run` sets for the program it starts, and that say nothing to the programs we start.
fn is_of_cargo_run(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_CRATE_NAME"
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<String>) {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches(['\n', '\r'])
                .to_owned();
            if to.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// The process and everything below it, as the kernel shows it now.
fn descendants(of: u32) -> BTreeSet<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, parent_in_stat(&stat)?))
        })
        .collect();
    let mut found = BTreeSet::from([of]);
    loop {
        let before = found.len();
        for (pid, parent) in &parents {
            if found.contains(parent) {
                found.insert(*pid);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The parent's id in a line of `/proc/PID/stat`; the program's name before it may hold spaces and brackets.
fn parent_in_stat(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World {
            root: "/".into(),
            ci: false,
            cargo: "cargo".into(),
            inherited: Vec::new(),
        }
    }

    fn shell(script: &str) -> Command {
        let mut command = world().program("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_of_both_streams_and_the_code_arrive() {
        let mut lines = BTreeSet::new();
        let ended = world()
            .stream(
                shell("echo one; echo two >&2; printf three; exit 7"),
                Duration::from_secs(20),
                |line| {
                    lines.insert(line.to_owned());
                },
            )
            .unwrap();
        assert_eq!(lines.into_iter().collect::<Vec<_>>(), ["one", "three", "two"]);
        assert_eq!(ended.code, Some(7));
        assert!(!ended.success());
    }

    #[test]
    fn a_program_past_its_limit_is_ended_with_its_children() {
        // Both processes hold the writing end; its reader sees the end only when both are gone.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = shell("exec 3>&0; sleep 60 & wait");
        command.stdin(writer);
        let start = now();
        let ended = world()
            .stream(command, Duration::from_millis(500), |_| {})
            .unwrap();
        assert!(ended.timed_out && !ended.success());
        reader.read_to_end(&mut Vec::new()).unwrap();
        assert!(
            now() - start < Duration::from_secs(30),
            "the child was left to run"
        );
    }

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_in_stat("12 (a ) b) S 7 12 12 0"), Some(7));
        assert_eq!(parent_in_stat("nonsense"), None);
    }
}
