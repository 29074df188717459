//! A docker daemon of the tests' own, with its own socket and images, which ends with the last test that uses it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rustix::process::getuid;
use tempfile::TempDir;
use trainyard_node::machine::since_boot;

/// How long it may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
const DAEMON: &str = "/usr/sbin/dockerd";
const CLIENTS: [&str; 2] = ["/usr/bin/docker", "/usr/local/bin/docker"];
/// It ends when its stdin does, so also when the tests are killed. What it mounts is in a namespace of its own, which sees
/// what the machine mounts. It makes no network: containers of jobs have that of the node.
const SCRIPT: &str = r#"
    exec 3<&0
    dockerd --iptables=false --bridge=none --storage-driver=vfs --data-root="$1/data" --exec-root="$1/exec" \
        --pidfile="$1/pid" --host="unix://$1/socket" </dev/null >"$1/log" 2>&1 &
    daemon=$!
    { cat <&3 >/dev/null; kill $daemon; } &
    wait $daemon
"#;

static SHARED: Mutex<Weak<Daemon>> = Mutex::new(Weak::new());

/// A daemon that runs.
pub struct Daemon {
    child: Child,
    folder: TempDir,
}

impl Daemon {
    /// The one that runs, or a new one; else what is missing for that.
    pub fn shared() -> Result<Arc<Daemon>, String> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(daemon) = shared.upgrade() {
            return Ok(daemon);
        }
        let daemon = Arc::new(Daemon::start()?);
        *shared = Arc::downgrade(&daemon);
        Ok(daemon)
    }

    /// A client that knows it, as a program of its own.
    pub fn client(&self) -> PathBuf {
        self.folder.path().join("docker")
    }

    /// The ids of the containers that it has of the node in this folder, whether they run or not.
    pub fn containers(&self, node: &Path) -> String {
        let label = format!("label=trainyard.node={}", node.display());
        let said = call(&self.client(), &["ps", "--all", "--quiet", "--filter", &label]).unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    fn start() -> Result<Daemon, String> {
        if !getuid().is_root() {
            return Err("left out: only root may run a docker daemon".to_owned());
        }
        let client = CLIENTS.into_iter().find(|client| Path::new(client).exists());
        let (Some(client), true) = (client, Path::new(DAEMON).exists()) else {
            return Err(format!(
                "left out: {DAEMON} or its client is not here (apt-get install docker.io)"
            ));
        };
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = folder.path().display();
        let script = format!("#!/bin/sh\nexec {client} --host=unix://{path}/socket \"$@\"\n");
        fs::write(folder.path().join("docker"), script).unwrap();
        fs::set_permissions(folder.path().join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        #[expect(clippy::disallowed_methods, reason = "ended by Drop, or with this process")]
        let child = Command::new("unshare")
            .args(["--mount", "--propagation=slave", "bash", "-c", SCRIPT, "dockerd"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut daemon = Daemon { child, folder };
        daemon.poll_until_it_answers()?;
        Ok(daemon)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a daemon tells nobody that it is ready; bounded"
    )]
    fn poll_until_it_answers(&mut self) -> Result<(), String> {
        let deadline = since_boot() + PATIENCE;
        while !call(&self.client(), &["version"]).is_ok_and(|said| said.status.success()) {
            let ended = self.child.try_wait().unwrap().is_some();
            if ended || since_boot() > deadline {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                return Err(format!(
                    "left out: a docker daemon cannot be started here: {last}"
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let ended = poll_for_end(&mut self.child);
        if !std::thread::panicking() {
            assert!(ended, "the docker daemon does not end");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a child is waited for with a bound")]
fn poll_for_end(child: &mut Child) -> bool {
    let deadline = since_boot() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if since_boot() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

#[expect(clippy::disallowed_methods, reason = "asks the daemon; awaited")]
fn call(client: &Path, arguments: &[&str]) -> io::Result<std::process::Output> {
    Command::new(client).args(arguments).output()
}
