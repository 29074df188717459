//! What the tests see exports with: the tools of libnfs.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::poll;
use tempfile::TempDir;
use trainyard_nfs::{Client, Export, ExportPath, Exporter, Settings, find};

/// How long something may take to be so; a restarted NFS server lets clients that it knew go first for 20 s.
const PATIENCE: Duration = Duration::from_secs(40);

/// A machine's file servers.
pub struct House {
    pub folder: TempDir,
    pub settings: Settings,
}

impl House {
    /// An empty one, or what is missing here to have one.
    pub fn new() -> Option<House> {
        for tool in ["nfs-ls", "nfs-cat", "nfs-cp"] {
            if !Path::new("/usr/bin").join(tool).exists() {
                println!("left out: {tool} is not here (exports of file servers)");
                return None;
            }
        }
        let program = match find(None, "/usr/bin:/usr/sbin") {
            Ok(program) => program,
            Err(lack) => {
                println!("left out: {lack} (exports of file servers)");
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            program,
            folder: folder.path().join("nfs"),
            listen: free_address(),
            clients: Client::of_this_machine(),
            owner: (0, 0),
            clock: clock(),
        };
        Some(House { folder, settings })
    }

    /// Opens it with these exports; they are there when this returns.
    pub fn open(&self, exports: &[Export]) -> Exporter {
        let exporter = Exporter::open(self.settings.clone()).unwrap();
        exporter.keep(exports.to_vec());
        exporter.wait_started().unwrap();
        exporter
    }

    /// A new folder to export, with a file that has this text.
    pub fn export(&self, name: &str, at: &[&str], text: &str) -> Export {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), text).unwrap();
        Export {
            name: name.to_owned(),
            folder,
            at: ExportPath::new(at.iter().copied()).unwrap(),
        }
    }

    /// What a client reads there, or what it says.
    pub fn read(&self, path: &str) -> Result<String, String> {
        self.call("nfs-cat", &[&self.url(path)])
    }

    /// What a client is shown there, names alone.
    pub fn list(&self, path: &str) -> Result<Vec<String>, String> {
        let said = self.call("nfs-ls", &[&self.url(path)])?;
        let name = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
        let mut names: Vec<String> = said.lines().map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Has a client write a file there.
    pub fn write(&self, path: &str, text: &str) -> Result<String, String> {
        let own = self.folder.path().join("of-the-client");
        fs::write(&own, text).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o640)).unwrap();
        self.call("nfs-cp", &[&own.display().to_string(), &self.url(path)])
    }

    /// What a client is shown there that is not root on its machine.
    pub fn list_as_nobody(&self, path: &str) -> Result<String, String> {
        call("nfs-ls", &[&self.url(path)], Some(65_534))
    }

    fn url(&self, path: &str) -> String {
        let address = self.settings.listen;
        format!(
            "nfs://{}{path}?version=4&nfsport={}",
            address.ip(),
            address.port()
        )
    }

    fn call(&self, tool: &str, arguments: &[&str]) -> Result<String, String> {
        call(tool, arguments, None)
    }

    /// The NFS server's process.
    pub fn process(&self) -> Option<i32> {
        let text = fs::read_to_string(self.settings.folder.join("pid")).ok()?;
        text.trim().parse().ok()
    }

    /// All processes that have the house on their command line.
    pub fn processes(&self) -> Vec<PathBuf> {
        let sought = self.settings.folder.display().to_string();
        let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let ours = |path: &PathBuf| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&sought)
        };
        entries.filter(ours).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "the test calls the tools of clients")]
fn call(tool: &str, arguments: &[&str], user: Option<u32>) -> Result<String, String> {
    let mut command = Command::new(tool);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let ran = command.args(arguments).output().unwrap();
    if ran.status.success() {
        return Ok(String::from_utf8(ran.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[expect(clippy::disallowed_methods, reason = "the clock of the test")]
fn clock() -> trainyard_nfs::Monotonic {
    let start = Instant::now();
    Arc::new(move || start.elapsed())
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits until it is so.
pub fn poll_until(what: &str, so: impl Fn() -> bool) {
    let since = clock();
    while !so() {
        assert!(since() < PATIENCE, "it is still not so: {what}");
        let time = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let _ = poll(&mut [], Some(&time));
    }
}
