//! Programs that nodes may call.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Those that are looked for.
pub const ALL: [&str; 14] = [
    "bash",
    "docker",
    "fusermount3",
    "ip",
    "iptables",
    "mount.cifs",
    "mount.nfs4",
    "mpiexec.hydra",
    "mpirun",
    "nsenter",
    "podman",
    "python3",
    "rclone",
    "setpriv",
];

/// How long a container engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the program is, as a shell would find it, or beside the system's own.
pub fn find(name: &str, path: &str) -> Option<PathBuf> {
    let everywhere = path.split(':').chain(["/usr/sbin", "/sbin"]);
    everywhere
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| Path::new(folder).join(name))
        .find(|found| {
            found
                .metadata()
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}

/// Asks the container engines that are there.
pub fn containers(path: &str) -> BTreeMap<&'static str, Result<String, String>> {
    let asked: [(&str, &[&str]); 2] = [
        ("podman", &["info", "--format", "{{.Version.Version}}"]),
        ("docker", &["version", "--format", "{{.Server.Version}}"]),
    ];
    asked
        .into_iter()
        .filter_map(|(name, arguments)| Some((name, ask(&find(name, path)?, arguments))))
        .collect()
}

/// What the program says on stdout.
fn ask(program: &Path, arguments: &[&str]) -> Result<String, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "whether an engine works is told by asking it"
    )]
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| error.to_string())?;
    let streams = (child.stdout.take(), child.stderr.take());
    let (told, said) = channel();
    std::thread::spawn(move || {
        let mut texts = [String::new(), String::new()];
        if let (Some(mut out), Some(mut err)) = streams {
            let _ = out.read_to_string(&mut texts[0]);
            let _ = err.read_to_string(&mut texts[1]);
        }
        let _ = told.send(texts);
    });
    let Ok([out, err]) = said.recv_timeout(PATIENCE) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("it did not answer within {} s", PATIENCE.as_secs()));
    };
    let ended = child.wait().map_err(|error| error.to_string())?;
    if ended.success() {
        return Ok(out.trim().to_owned());
    }
    let why = err
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("it failed");
    Err(why.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_and_asked() {
        let bash = find("bash", "/bin:/usr/bin").unwrap();
        assert_eq!(ask(&bash, &["-c", "echo 1.2; echo no >&2"]), Ok("1.2".to_owned()));
        assert_eq!(ask(&bash, &["-c", "echo why >&2; exit 1"]), Err("why".to_owned()));
        assert_eq!(find("no-such-program", "/bin"), None);
        assert_eq!(
            find("bash", "relative:."),
            None,
            "a relative path means nothing to a server"
        );
    }
}
