//! `ssh` as jobs find it: to a node of their job by its socket, anywhere else by the real one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::call::{self, CallError};

/// Options of ssh that have a value, in the same word or the next.
const WITH_VALUE: &str = "BDEFIJLOPQRSWbceilmopw";
/// Those that ask for more than a command, which a node of the job does not do.
const MORE: &str = "DLNOQRWfswM";
/// What runs without a command.
const SHELL: &str = "exec bash -l";

/// Where a job's process is: what it needs of its environment.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// `AZ_BATCHAI_SHARED_JOB_TEMP`.
    pub shared: Option<&'a OsStr>,
    /// `AZ_BATCH_HOST_LIST`: the nodes of the job, with commas between them.
    pub hosts: Option<&'a OsStr>,
    /// `PATH`.
    pub path: Option<&'a OsStr>,
}

/// A call of ssh, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    host: String,
    command: OsString,
    /// Its stdin is to be empty.
    no_input: bool,
    /// An option that asks for more than a command.
    more: Option<char>,
}

/// Does what `ssh ARGUMENTS` does, and says its exit code. `own` is the program by which jobs called it, which is not the
/// real ssh; that takes this process over, so that it comes back only with an error.
pub fn ssh(arguments: &[OsString], own: &Path, place: Place<'_>) -> Result<i32, CallError> {
    let asked = read(arguments);
    let node = asked
        .as_ref()
        .and_then(|asked| Some((asked, place.shared.filter(|_| is_node(&asked.host, place))?)));
    let Some((asked, shared)) = node else {
        let host = asked.map(|asked| asked.host);
        return Err(real(arguments, own, host, place));
    };
    if let Some(option) = asked.more {
        return Err(CallError::Option {
            node: asked.host.clone(),
            option,
        });
    }
    let stdin: OwnedFd = if asked.no_input {
        File::open("/dev/null").map(OwnedFd::from)
    } else {
        io::stdin().as_fd().try_clone_to_owned()
    }
    .map_err(|source| CallError::System {
        node: asked.host.clone(),
        source,
    })?;
    let command = if asked.command.is_empty() {
        OsStr::new(SHELL)
    } else {
        asked.command.as_os_str()
    };
    call::run(&asked.host, command, Path::new(shared), &stdin)
}

/// Whether a host is a node of the job: its socket is there, or it is listed and the socket will be.
fn is_node(host: &str, place: Place<'_>) -> bool {
    let listed = place.hosts.and_then(OsStr::to_str).unwrap_or_default();
    let there = |shared: &OsStr| call::socket(Path::new(shared), host).is_some_and(|path| path.exists());
    listed.split(',').any(|listed| listed == host) || place.shared.is_some_and(there)
}

/// Becomes the real ssh, or says why not.
fn real(arguments: &[OsString], own: &Path, host: Option<String>, place: Place<'_>) -> CallError {
    let Some(program) = find(own, place.path) else {
        let shared = place.shared.map(Path::new);
        return CallError::NoSsh {
            host: host.unwrap_or_default(),
            nodes: shared.map(call::nodes).unwrap_or_default().join(", "),
        };
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "this process becomes ssh; nothing is left to clean up"
    )]
    let source = Command::new(&program).arg0("ssh").args(arguments).exec();
    CallError::System {
        node: host.unwrap_or_default(),
        source,
    }
}

/// The ssh in PATH that is not `own`.
fn find(own: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    let own = fs::canonicalize(own).ok();
    let directories = path.unwrap_or_default().as_bytes().split(|byte| *byte == b':');
    directories
        .filter(|directory| !directory.is_empty())
        .map(|directory| Path::new(OsStr::from_bytes(directory)).join("ssh"))
        .find(|candidate| {
            let runs = fs::metadata(candidate)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
            runs && fs::canonicalize(candidate).ok() != own
        })
}

/// Reads the arguments as ssh does: options may stand before and behind the host, until the command begins.
fn read(arguments: &[OsString]) -> Option<Asked> {
    let mut asked = Asked::default();
    let mut rest = arguments.iter().peekable();
    let mut may_be_option = true;
    while let Some(word) = rest.peek() {
        let text = word.to_str();
        match text {
            Some("--") if may_be_option => {
                rest.next();
                may_be_option = false;
            }
            Some(options) if may_be_option && options.len() > 1 && options.starts_with('-') => {
                rest.next();
                if asked.take(options) {
                    rest.next()?;
                }
            }
            Some(host) if asked.host.is_empty() => {
                rest.next();
                host_of(host).clone_into(&mut asked.host);
                may_be_option = true;
            }
            _ => break,
        }
    }
    let words: Vec<&OsStr> = rest.map(OsString::as_os_str).collect();
    asked.command = words.join(OsStr::new(" "));
    (!asked.host.is_empty()).then_some(asked)
}

impl Asked {
    /// Takes a word of options; true when the value of the last one is the next word.
    fn take(&mut self, word: &str) -> bool {
        let mut options = word.chars();
        options.next();
        while let Some(option) = options.next() {
            self.no_input |= option == 'n';
            if MORE.contains(option) {
                self.more.get_or_insert(option);
            }
            if WITH_VALUE.contains(option) {
                return options.as_str().is_empty();
            }
        }
        false
    }
}

/// The host of `USER@HOST` or `ssh://USER@HOST:PORT`.
fn host_of(word: &str) -> &str {
    let (word, is_address) = match word.strip_prefix("ssh://") {
        Some(rest) => (rest.trim_end_matches('/'), true),
        None => (word, false),
    };
    let host = word.rsplit_once('@').map_or(word, |(_, host)| host);
    match host.rsplit_once(':') {
        Some((host, _port)) if is_address => host,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<Asked> {
        read(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_are_read_as_ssh_reads_them() {
        let expected = Asked {
            host: "10.0.0.5".to_owned(),
            command: "echo -n done".into(),
            ..Asked::default()
        };
        for line in [
            "10.0.0.5 echo -n done",
            "-p 22 -o StrictHostKeyChecking=no -oBatchMode=yes root@10.0.0.5 echo -n done",
            "-qtt -l root -p2222 10.0.0.5 -v echo -n done",
            "-x ssh://root@10.0.0.5:22/ -- echo -n done",
            "-- 10.0.0.5 echo -n done",
        ] {
            assert_eq!(parsed(line).as_ref(), Some(&expected), "{line}");
        }
        let quiet = parsed("-nq 10.0.0.5").unwrap();
        assert!(quiet.no_input && quiet.command.is_empty() && quiet.more.is_none());
        assert_eq!(parsed("-N -L 1:a:2 10.0.0.5").unwrap().more, Some('N'));
        for line in ["", "-V", "-p", "-l root"] {
            assert_eq!(parsed(line), None, "{line}");
        }
    }

    #[test]
    fn the_real_one_is_the_next_in_path() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        for name in ["own", "empty", "real"] {
            fs::create_dir(path(name)).unwrap();
        }
        for name in ["own/ssh", "real/ssh"] {
            fs::write(path(name), "").unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let all = format!("{0}/own:{0}/./own::{0}/empty:{0}/real", base.path().display());
        let own = path("own/ssh");
        assert_eq!(find(&own, Some(OsStr::new(&all))), Some(path("real/ssh")));
        assert_eq!(find(&own, Some(path("own").as_os_str())), None);
        assert_eq!(find(&own, None), None);
    }
}
