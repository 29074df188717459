//! Nodes with doors, in a folder of their own, and `ssh` with a home of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::NodePlan;
use trainyard_domain::secret::Secret;
use trainyard_domain::spec::UserAccountSettings;
use trainyard_login::{Account, Doors, HostKey, Limits, Note, Yard};
use trainyard_node::files::{self, Folder, NodeFile};
use trainyard_node::machine::since_boot;
use trainyard_node::sweep;

/// Longest time to wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const USER: &str = "yard";
pub const PASSWORD: &str = "a password of the test";
/// Where the next house has its ports: no two have the same.
static PORTS: AtomicU16 = AtomicU16::new(18_000);

/// Leaves so many ports to another process.
pub fn skip_ports(ports: u16) {
    PORTS.fetch_add(ports, Ordering::SeqCst);
}

/// What the doors are told.
pub struct Told {
    folder: PathBuf,
    pub accounts: Mutex<BTreeMap<Uid, UserAccountSettings>>,
    pub notes: Mutex<Vec<Note>>,
}

impl Yard for Told {
    /// Nodes whose accounts are the same are of one cluster.
    fn account(&self, node: Uid) -> Option<Account> {
        let accounts = self.accounts.lock().unwrap();
        let settings = accounts.get(&node)?.clone();
        let first = accounts.iter().find(|(_, other)| **other == settings);
        let cluster = first.map_or(node, |(node, _)| Uid(1000 + node.0));
        Some(Account { cluster, settings })
    }

    fn folder(&self, node: Uid) -> Folder {
        Folder::new(self.folder.join(node.to_string()))
    }

    fn note(&self, note: Note) {
        self.notes.lock().unwrap().push(note);
    }
}

pub struct House {
    pub told: Arc<Told>,
    pub doors: Option<Doors>,
    pub runtime: Runtime,
    ports: std::ops::RangeInclusive<u16>,
    nodes: BTreeMap<Uid, Child>,
    folder: TempDir,
}

/// Whether `ssh` is here; else the tests that need it are left out.
pub fn has_ssh() -> bool {
    let here = Command::new("ssh").arg("-V").output().is_ok();
    if !here {
        println!("left out: ssh is not here (remote login)");
    }
    here
}

/// An account with a password, with a key, or with both.
pub fn account(password: Option<&str>, key: Option<String>) -> UserAccountSettings {
    UserAccountSettings {
        admin_user_name: USER.to_owned(),
        admin_user_ssh_public_key: key,
        admin_user_password: password.map(Secret::new),
    }
}

impl House {
    pub fn new(limits: Limits) -> House {
        House::with_ports(10, limits)
    }

    /// A house with so many ports.
    pub fn with_ports(ports: u16, limits: Limits) -> House {
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::new(Told {
            folder: folder.path().canonicalize().unwrap().join("nodes"),
            accounts: Mutex::default(),
            notes: Mutex::default(),
        });
        let first = PORTS.fetch_add(ports, Ordering::SeqCst);
        let mut house = House {
            ports: first..=first + ports - 1,
            told,
            doors: None,
            runtime: Runtime::new().unwrap(),
            nodes: BTreeMap::new(),
            folder,
        };
        house.open(limits);
        house
    }

    /// A house with one node, at which the client's key is let in and the password is right.
    pub fn with_node() -> (House, u16) {
        let mut house = House::new(quick());
        let key = house.key("id");
        let port = house.node(1, account(Some(PASSWORD), Some(key)));
        (house, port)
    }

    /// Opens doors, with the host key of before if there is one.
    pub fn open(&mut self, limits: Limits) {
        let path = self.path("ssh-host-key");
        let key = HostKey::load_or_create(&path, |seed| seed.fill(42)).unwrap();
        self.doors = Some(Doors::new(
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            self.ports.clone(),
            limits,
            key,
            self.told.clone(),
            self.runtime.handle().clone(),
        ));
    }

    pub fn doors(&self) -> &Doors {
        self.doors.as_ref().unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a node and opens its door; its port.
    pub fn node(&mut self, uid: i64, account: UserAccountSettings) -> u16 {
        let node = Uid(uid);
        let folder = self.told.folder(node);
        fs::create_dir_all(folder.wanted()).unwrap();
        let plan = NodePlan {
            uid: node,
            name: format!("tvm-1_{uid}"),
            address: Ipv4Addr::LOCALHOST,
            mounts: Vec::new(),
            directories: Vec::new(),
            setup: None,
            execution_log: None,
            gpus: Vec::new(),
            limits: None,
        };
        let file = NodeFile {
            plan,
            environment: BTreeMap::from([("OF_THE_NODE".to_owned(), "yes".to_owned())]),
            cgroups: uid % 2 == 1,
            isolation: None,
            keep_job_temp: None,
            containers: trainyard_node::container::Settings::default(),
            mount_commands: Vec::new(),
        };
        files::write(&folder.node(), &file).unwrap();
        let log = fs::File::create(folder.log()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_trainyard-login-test-node"))
            .arg(folder.root())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.nodes.insert(node, child);
        self.told.accounts.lock().unwrap().insert(node, account);
        poll_until("the node takes requests", || {
            folder.login().exists().then_some(())
        });
        self.keep()[&node]
    }

    /// Doors at all nodes; their ports.
    pub fn keep(&self) -> BTreeMap<Uid, u16> {
        let nodes: Vec<_> = self.nodes.keys().map(|node| (*node, None)).collect();
        self.doors().keep(&nodes).into_iter().collect()
    }

    /// A key of the client's, made if there is none; its public half.
    pub fn key(&self, name: &str) -> String {
        let path = self.path(name);
        if !path.exists() {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(&path)
                .status();
            assert!(made.unwrap().success());
        }
        fs::read_to_string(path.with_extension("pub")).unwrap()
    }

    /// `ssh` as the user, with these options before the name of the host.
    pub fn ssh_as(&self, user: &str, port: u16, options: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-p", &port.to_string()])
            .args([
                "-o",
                "StrictHostKeyChecking=accept-new",
                "-o",
                "IdentitiesOnly=yes",
            ])
            .args(["-o", "LogLevel=ERROR"])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", self.path("known").display()))
            .args(options)
            .arg(format!("{user}@127.0.0.1"))
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null());
        ssh
    }

    /// `ssh` by the key.
    pub fn ssh(&self, port: u16, options: &[&str]) -> Command {
        self.ssh_by("id", port, options)
    }

    /// `ssh` by another key.
    pub fn ssh_by(&self, key: &str, port: u16, options: &[&str]) -> Command {
        let key = self.path(key).display().to_string();
        let by_key = ["-i", &key, "-o", "BatchMode=yes"];
        self.ssh_as(USER, port, &[&by_key, options].concat())
    }

    /// `ssh` by a password.
    pub fn ssh_with(&self, user: &str, password: &str, port: u16) -> Command {
        let tell = self.path("tell");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o700)
            .open(&tell)
            .unwrap();
        write!(file, "#!/bin/sh\necho \"$TOLD\"\n").unwrap();
        drop(file);
        fs::set_permissions(&tell, fs::Permissions::from_mode(0o700)).unwrap();
        let once = ["-o", "NumberOfPasswordPrompts=1", "-o", "PubkeyAuthentication=no"];
        let mut ssh = self.ssh_as(user, port, &once);
        ssh.env("SSH_ASKPASS", tell)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("TOLD", password);
        ssh
    }
}

/// Nothing of a test is left running.
impl Drop for House {
    fn drop(&mut self) {
        if let Some(doors) = &self.doors {
            doors.close();
        }
        for (node, child) in &mut self.nodes {
            let _ = child.kill();
            let _ = child.wait();
            let folder = self.told.folder(*node);
            poll_until("nothing of the node is left", || {
                sweep(folder.root(), None).then_some(())
            });
        }
    }
}

/// Limits under which nothing takes long.
pub fn quick() -> Limits {
    Limits {
        refusal: Duration::from_millis(1),
        ..Limits::default()
    }
}

/// Runs to its end, in time.
pub fn done(mut command: Command) -> Output {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.wait_with_output().unwrap()
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until something is so.
pub fn poll_until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = since_boot() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since_boot() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs.
pub fn lives(pid: &str) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    trainyard_node::machine::stat(pid).is_some_and(|stat| !stat.zombie)
}

/// The first line of a file, once it is there.
pub fn poll_line(path: &Path) -> String {
    poll_until("a line is written", || {
        let text = fs::read_to_string(path).ok()?;
        text.split_once('\n').map(|(line, _)| line.to_owned())
    })
}
