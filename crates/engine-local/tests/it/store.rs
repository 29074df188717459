//! Stores for volumes: a folder that rclone serves by WebDAV, which can be unplugged, and a share of samba.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use trainyard_domain::launch::{Asked, Behind, Mount, RcloneRemote};
use trainyard_node::machine::since_boot;

/// Longest wait for a store to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A served folder.
pub struct Store {
    pub folder: TempDir,
    port: u16,
    server: Option<Child>,
    settings: Vec<(&'static str, String)>,
    path: String,
}

/// Whether the programs are here; says what is left out otherwise.
pub fn have(programs: &[&str]) -> bool {
    let folders = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"];
    let there = |name: &&&str| folders.iter().any(|folder| Path::new(folder).join(name).exists());
    let missing = programs.iter().find(|name| !there(name));
    if let Some(name) = missing {
        println!("left out: {name} is not installed (volumes)");
        return false;
    }
    if !Path::new("/dev/fuse").exists() {
        println!("left out: /dev/fuse is not here (volumes)");
        return false;
    }
    true
}

impl Store {
    /// A folder served by WebDAV.
    pub fn web() -> Store {
        let mut store = Store {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            server: None,
            settings: Vec::new(),
            path: String::new(),
        };
        let url = format!("http://127.0.0.1:{}", store.port);
        store.settings = vec![
            ("type", "webdav".to_owned()),
            ("url", url),
            ("vendor", "other".to_owned()),
        ];
        store.plug();
        store
    }

    /// A share of samba, `data`, for the user that runs this.
    pub fn samba() -> Store {
        let mut store = Store {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            server: None,
            settings: Vec::new(),
            path: "data".to_owned(),
        };
        let base = store.folder.path().to_owned();
        for name in ["private", "lock", "state", "cache", "pid", "rpc", "share"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        let at = |name: &str| base.join(name).display().to_string();
        let lines = [
            "[global]".to_owned(),
            format!("smb ports = {}", store.port),
            "interfaces = lo".to_owned(),
            "bind interfaces only = yes".to_owned(),
            format!("private dir = {}", at("private")),
            format!("lock directory = {}", at("lock")),
            format!("state directory = {}", at("state")),
            format!("cache directory = {}", at("cache")),
            format!("pid directory = {}", at("pid")),
            format!("ncalrpc dir = {}", at("rpc")),
            "disable spoolss = yes".to_owned(),
            "load printers = no".to_owned(),
            "[data]".to_owned(),
            format!("path = {}", at("share")),
            "read only = no".to_owned(),
        ];
        fs::write(base.join("smb.conf"), lines.join("\n") + "\n").unwrap();
        let set = format!(
            "printf 'pw1\\npw1\\n' | smbpasswd -c {} -a -s root",
            at("smb.conf")
        );
        assert!(shell(&set).0, "samba's user is made");
        let (_, hidden) = shell("printf pw1 | rclone obscure -");
        store.settings = vec![
            ("type", "smb".to_owned()),
            ("host", "127.0.0.1".to_owned()),
            ("port", store.port.to_string()),
            ("user", "root".to_owned()),
            ("pass", hidden.trim().to_owned()),
        ];
        let mut command = program("smbd");
        command
            .args(["--foreground", "--no-process-group", "-s"])
            .arg(base.join("smb.conf"));
        store.start(command);
        store
    }

    /// Where its files are.
    pub fn files(&self) -> PathBuf {
        let share = self.folder.path().join("share");
        if share.exists() {
            share
        } else {
            self.folder.path().to_owned()
        }
    }

    /// Serves the folder again.
    pub fn plug(&mut self) {
        let mut command = program("rclone");
        command
            .args(["serve", "webdav", "--dir-cache-time=0s", "--addr"])
            .arg(format!("127.0.0.1:{}", self.port))
            .arg(self.folder.path())
            .env("RCLONE_CONFIG", "/dev/null");
        self.start(command);
    }

    fn start(&mut self, mut command: Command) {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.server = Some(command.spawn().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        poll_until("the store listens", || TcpStream::connect(address).is_ok());
    }

    /// It is gone, as if somebody had pulled its plug.
    pub fn unplug(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// It takes calls and answers none, until it goes on.
    pub fn hang(&self, hangs: bool) {
        let signal = if hangs { Signal::STOP } else { Signal::CONT };
        let server = self.server.as_ref().unwrap();
        kill_process(Pid::from_child(server), signal).unwrap();
    }

    /// A volume of it at `path`.
    pub fn mount(&self, path: &str) -> Mount {
        let settings = self
            .settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Mount {
            path: path.to_owned(),
            behind: Behind::Rclone(RcloneRemote {
                settings: settings.collect(),
                path: self.path.clone(),
                file_mode: "0640".to_owned(),
                directory_mode: "0750".to_owned(),
            }),
            asked: Asked::Container {
                account: "acc".to_owned(),
                container: "c".to_owned(),
            },
            options: None,
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.unplug();
    }
}

/// Waits until something is so.
pub fn poll_until(what: &str, look: impl Fn() -> bool) {
    poll_for(PATIENCE, what, || look().then_some(()));
}

/// Waits for something, at most so long.
pub fn poll_for<T>(patience: Duration, what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = since_boot() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since_boot() < deadline, "waited too long until {what}");
        let time = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let _ = rustix::event::poll(&mut [], Some(&time));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a store is a process that its drop ends"
)]
fn program(name: &str) -> Command {
    Command::new(name)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn shell(line: &str) -> (bool, String) {
    let ended = program("bash").args(["-c", line]).output().unwrap();
    (
        ended.status.success(),
        String::from_utf8_lossy(&ended.stdout).into_owned(),
    )
}
