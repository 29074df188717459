//! A command that prints a secret.
//!
//! It is started without a shell, in a process group of its own, and told of the secret by its arguments: a URL is no
//! secret. What it prints is read as it comes, so that it never fills a pipe; when its time is over, or it prints too
//! much, the whole group is killed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tracing::warn;
use trainyard_domain::spec::{KeyVaultSecretReference, VaultSecret};

use crate::error::FetchError;
use crate::fetcher::Patience;

/// Most of what it says on stderr that is looked at, and most of that in a line of the log.
const SAID: usize = 4096;
const SAID_IN_LOG: usize = 500;
/// How often it is looked whether the server ends.
const LOOK: Duration = Duration::from_millis(200);

/// The arguments with what is asked for put in.
pub fn arguments(
    command: &[String],
    reference: &KeyVaultSecretReference,
    secret: &VaultSecret,
) -> Vec<String> {
    let version = secret.version.as_deref().unwrap_or_default();
    let known = [
        ("{url}", reference.secret_url.as_str()),
        ("{vault_id}", reference.source_vault.as_str()),
        ("{vault}", &secret.vault),
        ("{name}", &secret.name),
        ("{version}", version),
    ];
    command.iter().map(|argument| fill(argument, &known)).collect()
}

/// In one pass: what is put in is not looked at again.
fn fill(argument: &str, known: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = argument;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled += before;
        match known
            .iter()
            .find_map(|(name, value)| Some((from.strip_prefix(name)?, value)))
        {
            Some((after, value)) => {
                filled += value;
                rest = after;
            }
            None => {
                filled.push('{');
                rest = &from[1..];
            }
        }
    }
    filled + rest
}

/// What the command prints, `limit` bytes at most.
pub fn run(
    arguments: &[String],
    environment: &BTreeMap<OsString, OsString>,
    limit: usize,
    patience: &Patience,
) -> Result<Vec<u8>, FetchError> {
    let mut running = Running::start(arguments, environment).map_err(FetchError::Start)?;
    let mut said = Vec::new();
    let printed = running.read(limit, &mut said, patience);
    let code = running.end().map_err(FetchError::Start)?;
    let printed = printed.inspect_err(|_| log(arguments, &said, &[]))?;
    if code != 0 {
        log(arguments, &said, &printed);
        return Err(FetchError::Exit { code });
    }
    Ok(printed)
}

/// What it said goes to the log, without what it printed, should it have said that too.
fn log(arguments: &[String], said: &[u8], printed: &[u8]) {
    let said = String::from_utf8_lossy(said);
    let printed = String::from_utf8_lossy(printed);
    let said = match printed.trim() {
        "" => said.into_owned(),
        secret => said.replace(secret, "(secret)"),
    };
    let said: String = said.trim().chars().take(SAID_IN_LOG).collect();
    let program = arguments.first().map_or("", String::as_str);
    warn!(program, said, "the command for key vaults gave no secret");
}

struct Running {
    child: Child,
}

impl Running {
    fn start(arguments: &[String], environment: &BTreeMap<OsString, OsString>) -> io::Result<Running> {
        let (program, arguments) = arguments.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the operator's own command; it is ended with all its group"
        )]
        let mut command = Command::new(program);
        let child = command
            .args(arguments)
            .env_clear()
            .envs(environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        Ok(Running { child })
    }

    /// What it prints until it ends; `said` gets the beginning of its stderr.
    fn read(&mut self, limit: usize, said: &mut Vec<u8>, patience: &Patience) -> Result<Vec<u8>, FetchError> {
        let end = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty());
        let end = end.map_err(|error| FetchError::Start(error.into()))?;
        let (mut out, mut err) = (self.child.stdout.take(), self.child.stderr.take());
        let mut printed = Vec::new();
        loop {
            let left = patience.left()?;
            let over = ready([Some(end.as_fd())], Duration::ZERO)[0];
            let fds = [
                out.as_ref().map(AsFd::as_fd),
                err.as_ref().map(AsFd::as_fd),
                Some(end.as_fd()),
            ];
            // Once it has ended only what lies in the pipes is read: others may hold their ends.
            let wait = if over { Duration::ZERO } else { left.min(LOOK) };
            let [from_out, from_err, _] = ready(fds, wait);
            if over && !from_out && !from_err {
                return Ok(printed);
            }
            if from_out && !take(&mut out, &mut printed, usize::MAX) {
                out = None;
            }
            if from_err && !take(&mut err, said, SAID) {
                err = None;
            }
            if printed.len() > limit {
                return Err(FetchError::TooLong { limit });
            }
        }
    }

    /// Ends it with whatever it has started in its group; its exit code.
    fn end(&mut self) -> io::Result<i32> {
        // Until it is waited for, its number is nobody else's.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait()?;
        let signal = || 128 + status.signal().unwrap_or_default();
        Ok(status.code().unwrap_or_else(signal))
    }
}

/// Reads what is there, of which at most `most` bytes in all are kept; whether there may be more.
fn take(from: &mut Option<impl Read>, to: &mut Vec<u8>, most: usize) -> bool {
    let mut buffer = [0; 4096];
    let Some(from) = from else { return false };
    match from.read(&mut buffer) {
        Ok(0) => false,
        Ok(count) => {
            let room = most.saturating_sub(to.len()).min(count);
            to.extend_from_slice(&buffer[..room]);
            true
        }
        Err(error) => error.kind() == io::ErrorKind::Interrupted,
    }
}

/// Which of these have something to read, or are over, after waiting for that.
fn ready<const N: usize>(fds: [Option<BorrowedFd<'_>>; N], wait: Duration) -> [bool; N] {
    let open = fds.iter().flatten();
    let mut polled: Vec<PollFd<'_>> = open
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    let wait = Timespec::try_from(wait).ok();
    // Interrupted: nothing is ready, and the caller looks again.
    let count = poll(&mut polled, wait.as_ref()).unwrap_or_default();
    let mut found = polled.iter().map(|fd| count > 0 && !fd.revents().is_empty());
    fds.map(|fd| fd.is_some() && found.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_filled_once() {
        let known = [("{url}", "https://x/{name}"), ("{name}", "n")];
        for (argument, expected) in [
            ("{url}", "https://x/{name}"),
            ("a{name}b{name}", "anbn"),
            ("{other} {", "{other} {"),
            ("{{name}}", "{n}"),
            ("-x", "-x"),
        ] {
            assert_eq!(fill(argument, &known), expected, "{argument}");
        }
    }
}
