//! A data folder of its own with an engine, and plans for jobs in bash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::Pid;
use tempfile::TempDir;
use trainyard_domain::ids::{Attempt, GpuId, PlacementId, Uid};
use trainyard_domain::launch::{Behind, LaunchPlan, Mount, NodeLimits, NodePlan, Process, SharedDirectory};
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen, Observation, PlacementSeen};
use trainyard_engine_local::{
    GpuSource, IsolationSettings, LocalEngine, NodeProgram, OpenError, Settings, end_all, isolation_here,
};
use trainyard_node::container;
use trainyard_node::files::{self, Folder, StatusFile};
use trainyard_node::isolation::Account;
use trainyard_node::machine::since_boot;

/// Longest time to wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

type Bell = Arc<(Mutex<u64>, Condvar)>;

pub struct Yard {
    pub root: PathBuf,
    engine: Option<LocalEngine>,
    bell: Bell,
    seen: Mutex<Vec<Observation>>,
    cgroups: bool,
    /// Whether nodes are isolated, from the next opening on.
    isolated: bool,
    /// The subnet of a bridge, from the next opening on.
    pub bridge: Option<std::net::Ipv4Addr>,
    namespaces: Mutex<BTreeSet<PathBuf>>,
    /// The GPUs of the machine, from the next opening on.
    pub gpus: Vec<GpuId>,
    /// How long nodes keep what jobs leave, from the next opening on.
    pub keep_job_temp: Option<Duration>,
    /// How long nodes may show no sign of life, from the next opening on.
    pub answer_within: Duration,
    /// Programs that mount commands may run, from the next opening on.
    pub mount_commands: Vec<String>,
    /// The PATH of what nodes run, from the next opening on.
    pub path: Option<String>,
    program: NodeProgram,
    containers: container::Settings,
    /// As whom jobs run, from the next opening on.
    account: Option<Account>,
    /// Whether its root is a file system of its own.
    has_disk: bool,
    _folder: TempDir,
}

/// Makes each function, which takes a yard, a test with plain and one with isolated nodes.
macro_rules! at_both_levels {
    ($($name:ident),+ $(,)?) => {
        mod plain {
            $(#[test] fn $name() { super::$name(crate::yard::Yard::new()); })+
        }
        mod isolated {
            $(#[test] fn $name() {
                if let Some(yard) = crate::yard::Yard::isolated() { super::$name(yard); }
            })+
        }
    };
}
pub(crate) use at_both_levels;

pub fn id(job: i64) -> PlacementId {
    PlacementId {
        job: Uid(job),
        attempt: Attempt(1),
    }
}

impl Yard {
    pub fn new() -> Yard {
        Yard::below("")
    }

    /// A yard on a machine without a cgroup v2 tree, or one like it.
    pub fn without_cgroups() -> Yard {
        let mut yard = Yard::empty("");
        yard.cgroups = false;
        yard.open();
        yard
    }

    /// A yard with isolated nodes; none where this machine, or who runs this, cannot have them.
    pub fn isolated() -> Option<Yard> {
        let mut yard = Yard::empty("");
        if let Err(error) = isolation_here(&[]) {
            println!("left out: isolated nodes ({error})");
            return None;
        }
        yard.isolated = true;
        yard.open();
        Some(yard)
    }

    /// A yard with isolated nodes whose jobs run as an account of this machine.
    pub fn run_as(name: &str) -> Option<Yard> {
        let mut yard = Yard::isolated()?;
        yard.close();
        yard.account = Some(Account::named(name).unwrap());
        yard.open();
        Some(yard)
    }

    /// A yard with isolated nodes on a disk of its own of 64 MiB.
    pub fn on_a_small_disk() -> Option<Yard> {
        let mut yard = Yard::empty("disk");
        if let Err(error) = isolation_here(&[]) {
            println!("left out: isolated nodes ({error})");
            return None;
        }
        fs::create_dir_all(&yard.root).unwrap();
        mount("none", &yard.root, "tmpfs", MountFlags::empty(), c"size=64m").unwrap();
        yard.has_disk = true;
        yard.isolated = true;
        yard.open();
        Some(yard)
    }

    /// A directory of this machine that belongs to whoever jobs run as.
    pub fn directory(&self, name: &str) -> PathBuf {
        let directory = self.root.join(name);
        fs::create_dir_all(&directory).unwrap();
        let owner = self.account.as_ref().map(|account| (account.uid, account.gid));
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(&directory, Some(uid), Some(gid)).unwrap();
        }
        directory
    }

    /// Yards of every kind that can be had here.
    pub fn each() -> Vec<Yard> {
        let isolated_without_cgroups = Yard::isolated().map(|mut yard| {
            yard.close();
            yard.cgroups = false;
            yard.open();
            yard
        });
        [Yard::new(), Yard::without_cgroups()]
            .into_iter()
            .chain(Yard::isolated())
            .chain(isolated_without_cgroups)
            .collect()
    }

    /// A yard on a machine with these GPUs.
    pub fn with_gpus(gpus: &[GpuId]) -> Yard {
        let mut yard = Yard::empty("");
        yard.gpus = gpus.to_vec();
        yard.open();
        yard
    }

    /// A yard whose jobs may have containers.
    pub fn with_containers(containers: container::Settings, cgroups: bool, isolated: bool) -> Yard {
        let mut yard = Yard::empty("");
        yard.containers = containers;
        yard.cgroups = cgroups;
        yard.isolated = isolated;
        yard.open();
        yard
    }

    /// Whether its nodes are isolated.
    pub fn is_isolated(&self) -> bool {
        self.isolated
    }

    /// A yard whose nodes are started by this line of bash.
    pub fn started_by(script: &str) -> Yard {
        let mut yard = Yard::empty("");
        let node = yard.program.program.display().to_string();
        yard.program = NodeProgram {
            program: PathBuf::from("/bin/bash"),
            arguments: ["-c", script, &node].map(str::to_owned).to_vec(),
            remote: Vec::new(),
        };
        yard.open();
        yard
    }

    /// A yard whose root is at `path` below a fresh folder.
    pub fn below(path: &str) -> Yard {
        let mut yard = Yard::empty(path);
        yard.open();
        yard
    }

    /// Yards with plain and, where they can be had, with isolated nodes.
    pub fn levels() -> Vec<Yard> {
        [Yard::new()].into_iter().chain(Yard::isolated()).collect()
    }

    fn empty(path: &str) -> Yard {
        // Not beneath /tmp, which isolated nodes have for themselves.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        // An ordinary user, whose nodes are plain, may not write there.
        let folder = folder.or_else(|_| tempfile::tempdir()).unwrap();
        let root = folder.path().join(path);
        let program = NodeProgram {
            program: PathBuf::from(env!("CARGO_BIN_EXE_trainyard-test-node")),
            arguments: vec!["node".to_owned()],
            remote: vec!["remote".to_owned()],
        };
        Yard {
            root,
            cgroups: true,
            isolated: false,
            bridge: None,
            namespaces: Mutex::default(),
            gpus: Vec::new(),
            keep_job_temp: None,
            answer_within: Settings::default().answer_within,
            mount_commands: Vec::new(),
            path: None,
            program,
            containers: container::Settings::default(),
            account: None,
            has_disk: false,
            engine: None,
            bell: Bell::default(),
            seen: Mutex::default(),
            _folder: folder,
        }
    }

    pub fn open(&mut self) {
        self.try_open().unwrap();
    }

    pub fn try_open(&mut self) -> Result<(), OpenError> {
        let mut environment = BTreeMap::from([("PASSED_ON".to_owned(), "yes".to_owned())]);
        environment.extend(self.path.clone().map(|path| ("PATH".to_owned(), path)));
        let settings = Settings {
            environment,
            cgroups: self.cgroups,
            keep_job_temp: self.keep_job_temp,
            answer_within: self.answer_within,
            mount_commands: self.mount_commands.clone(),
            gpus: GpuSource::These(self.gpus.clone()),
            containers: self.containers.clone(),
            isolation: self.isolated.then(|| IsolationSettings {
                hidden: vec![self.root.clone()],
                account: self.account.clone(),
                bridge: self.bridge,
            }),
            ..Settings::default()
        };
        let engine = LocalEngine::open(&self.root, settings, self.program.clone())?;
        let bell = Arc::clone(&self.bell);
        engine.on_change(Arc::new(move || {
            *bell.0.lock().unwrap() += 1;
            bell.1.notify_all();
        }));
        self.engine = Some(engine);
        Ok(())
    }

    pub fn close(&mut self) {
        self.engine = None;
    }

    pub fn engine(&self) -> &LocalEngine {
        self.engine.as_ref().unwrap()
    }

    pub fn folder(&self, node: Uid) -> Folder {
        Folder::new(
            self.root
                .canonicalize()
                .unwrap()
                .join("nodes")
                .join(node.to_string()),
        )
    }

    /// Of the two processes of an isolated node the `inner` or the `outer` one.
    pub fn process_of(&self, node: Uid, which: &str) -> Pid {
        let inner = Pid::from_raw(self.status(node).pid).unwrap();
        match which {
            "inner" => inner,
            "outer" => Pid::from_raw(trainyard_node::machine::stat(inner).unwrap().parent).unwrap(),
            other => panic!("a node has no {other} process"),
        }
    }

    pub fn status(&self, node: Uid) -> StatusFile {
        files::read(&self.folder(node).status()).unwrap()
    }

    /// How often the engine has rung.
    pub fn rings(&self) -> u64 {
        *self.bell.0.lock().unwrap()
    }

    /// Waits until the engine rings once more than `heard`, at most a moment: files change without a ring.
    pub fn wait_for_ring(&self, heard: u64) {
        let rings = self.bell.0.lock().unwrap();
        let moment = Duration::from_millis(20);
        let _unused = self
            .bell
            .1
            .wait_timeout_while(rings, moment, |rings| *rings == heard)
            .unwrap();
    }

    /// Waits until something is so.
    pub fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let deadline = since_boot() + PATIENCE;
        loop {
            let heard = self.rings();
            if let Some(found) = look() {
                return found;
            }
            assert!(
                since_boot() < deadline,
                "waited too long until {what}; seen: {:?}",
                self.seen()
            );
            self.wait_for_ring(heard);
        }
    }

    /// All that was observed so far.
    pub fn seen(&self) -> Vec<Observation> {
        let mut seen = self.seen.lock().unwrap();
        if let Some(engine) = &self.engine {
            seen.extend(engine.observe());
        }
        seen.clone()
    }

    /// What was observed before does not count any more.
    pub fn look_afresh(&self) {
        self.seen();
        self.seen.lock().unwrap().clear();
    }

    /// Whether a process of a job runs, by the number that it has for itself.
    pub fn lives(&self, pid: &str) -> bool {
        if !self.isolated {
            return runs(pid);
        }
        let namespaces = self.namespaces.lock().unwrap();
        let is_it = |process: &rustix::process::Pid| {
            let proc = PathBuf::from(format!("/proc/{}", process.as_raw_pid()));
            let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
            let last = status
                .lines()
                .find_map(|line| line.strip_prefix("NSpid:")?.split_whitespace().last());
            let namespace = fs::read_link(proc.join("ns/pid"));
            last == Some(pid.trim())
                && !status.contains("State:\tZ")
                && namespace.is_ok_and(|namespace| namespaces.contains(&namespace))
        };
        trainyard_node::machine::processes().iter().any(is_it)
    }

    /// What runs in the namespaces of this yard's nodes, in words.
    pub fn left(&self) -> Vec<String> {
        let namespaces = self.namespaces.lock().unwrap();
        let describe = |process: &rustix::process::Pid| {
            let proc = PathBuf::from(format!("/proc/{}", process.as_raw_pid()));
            let namespace = fs::read_link(proc.join("ns/pid")).ok()?;
            let command = fs::read_to_string(proc.join("cmdline")).unwrap_or_default();
            let state = fs::read_to_string(proc.join("stat")).unwrap_or_default();
            (namespaces.contains(&namespace) && !state.contains(") Z "))
                .then(|| format!("{command} ({state})"))
        };
        trainyard_node::machine::processes()
            .iter()
            .filter_map(describe)
            .collect()
    }

    pub fn until_node(&self, node: Uid, wanted: &NodeSeen) {
        let wanted = Observation::Node {
            node,
            seen: wanted.clone(),
        };
        self.until(&format!("{wanted:?}"), || {
            self.seen().contains(&wanted).then_some(())
        });
    }

    pub fn node(&self, uid: i64) -> Uid {
        let plan = self.node_plan(Uid(uid), None);
        self.engine().ensure_node(plan);
        self.until_node(Uid(uid), &NodeSeen::Ready);
        self.note_namespace(Uid(uid));
        Uid(uid)
    }

    /// A node of a size of its own.
    pub fn limited(&self, uid: i64, limits: NodeLimits) -> Uid {
        let plan = NodePlan {
            limits: Some(limits),
            ..self.node_plan(Uid(uid), None)
        };
        self.engine().ensure_node(plan);
        self.until_node(Uid(uid), &NodeSeen::Ready);
        Uid(uid)
    }

    /// Remembers the namespace in which a node has its processes.
    pub fn note_namespace(&self, node: Uid) {
        if self.isolated {
            let namespace = fs::read_link(format!("/proc/{}/ns/pid", self.status(node).pid)).unwrap();
            assert_ne!(namespace, fs::read_link("/proc/self/ns/pid").unwrap());
            self.namespaces.lock().unwrap().insert(namespace);
        }
    }

    pub fn node_plan(&self, uid: Uid, setup: Option<&str>) -> NodePlan {
        let setup_out = format!("setup-{uid}");
        let out = self.shown_out(uid, &setup_out);
        let behind = self.directory("out");
        let mount = self.isolated.then(|| {
            let path = format!("{}/out", self.engine().paths(uid).mount_root);
            Mount::new(path, Behind::Source(behind.display().to_string()))
        });
        NodePlan {
            uid,
            name: format!("tvm-1_{uid}"),
            address: std::net::Ipv4Addr::LOCALHOST,
            mounts: mount.into_iter().collect(),
            directories: vec![out.clone()],
            setup: setup.map(|script| process("setup task", script, &out, &out)),
            execution_log: Some(format!("{out}/execution.log")),
            gpus: Vec::new(),
            limits: None,
        }
    }

    /// Where a directory of outputs is for what runs on a node.
    fn shown_out(&self, node: Uid, directory: &str) -> String {
        if self.isolated {
            format!("{}/out/{directory}", self.engine().paths(node).mount_root)
        } else {
            self.root.join("out").join(directory).display().to_string()
        }
    }

    /// Where the outputs of an attempt are for what runs on its node.
    pub fn shown(&self, placement: PlacementId, node: Uid) -> String {
        self.shown_out(node, &format!("{placement}/{node}"))
    }

    /// Where the outputs of a node's setup task go.
    pub fn setup_out(&self, node: Uid) -> PathBuf {
        self.root.join(format!("out/setup-{node}"))
    }

    /// Where the outputs of an attempt on a node go.
    pub fn out(&self, placement: PlacementId, node: Uid) -> PathBuf {
        self.root.join(format!("out/{placement}/{node}"))
    }

    pub fn read(&self, placement: PlacementId, node: Uid, file: &str) -> String {
        fs::read_to_string(self.out(placement, node).join(file)).unwrap_or_default()
    }

    /// A job that runs one script on each node.
    pub fn plans(&self, placement: PlacementId, nodes: &[Uid], script: &str) -> Vec<(Uid, LaunchPlan)> {
        let of = |(index, node): (usize, &Uid)| {
            let job = format!("{}/job-{placement}", self.engine().paths(*node).jobs_root);
            let out = self.shown(placement, *node);
            let plan = LaunchPlan {
                placement,
                job_directory: job.clone(),
                mounts: Vec::new(),
                shared_directory: SharedDirectory {
                    source: format!("{}/{placement}", self.engine().paths(*node).shared_root),
                    path: format!("{job}/shared"),
                },
                directories: vec![out.clone()],
                files: BTreeMap::new(),
                execution_log: format!("{out}/execution.log"),
                preparation: None,
                processes: vec![process("rank 0", script, &job, &out)],
                node_index: u32::try_from(index).unwrap(),
                node_count: u32::try_from(nodes.len()).unwrap(),
                max_seconds: 3600,
                grace_seconds: 5,
                until_stopped: false,
                remote: None,
                caps: trainyard_domain::launch::Caps::default(),
                container: None,
            };
            (*node, plan)
        };
        nodes.iter().enumerate().map(of).collect()
    }

    /// The plan of a job on one node.
    pub fn plan(&self, placement: PlacementId, node: Uid, script: &str) -> LaunchPlan {
        self.plans(placement, &[node], script).remove(0).1
    }

    pub fn launch(&self, node: Uid, plan: LaunchPlan) {
        self.engine().ensure_launched(vec![(node, plan)]);
    }

    pub fn run(&self, placement: PlacementId, node: Uid, script: &str) -> Verdict {
        self.launch(node, self.plan(placement, node, script));
        self.verdict(placement, node)
    }

    /// How an attempt ended on a node, if it has.
    pub fn ended(&self, placement: PlacementId, node: Uid) -> Option<Verdict> {
        self.seen().into_iter().find_map(|seen| match seen {
            Observation::Placement {
                node: n,
                placement: p,
                seen: PlacementSeen::Ended(verdict),
            } if n == node && p == placement => Some(verdict),
            _ => None,
        })
    }

    pub fn verdict(&self, placement: PlacementId, node: Uid) -> Verdict {
        self.until(&format!("{placement} ends"), || self.ended(placement, node))
    }

    /// Waits until a script has written a whole line into a file, and gives it.
    pub fn line(&self, placement: PlacementId, node: Uid, file: &str) -> String {
        self.until(&format!("{file} is written"), || {
            let text = self.read(placement, node, file);
            text.split_once('\n').map(|(line, _)| line.to_owned())
        })
    }
}

/// Nothing of a test is left running.
impl Drop for Yard {
    fn drop(&mut self) {
        self.engine = None;
        let ended = end_all(&self.root, Duration::from_secs(5));
        if self.has_disk {
            unmount(&self.root, UnmountFlags::DETACH).unwrap();
        }
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

pub fn process(name: &str, script: &str, directory: &str, out: &str) -> Process {
    Process {
        name: name.to_owned(),
        arguments: ["bash", "-c", script].map(str::to_owned).to_vec(),
        environment: BTreeMap::from([
            ("OUT".to_owned(), out.to_owned()),
            ("SECRET".to_owned(), "hush".to_owned()),
        ]),
        directory: directory.to_owned(),
        stdout: format!("{out}/stdout.txt"),
        stderr: format!("{out}/stderr.txt"),
        decides: true,
    }
}

/// Whether a process runs, by its number on this machine.
pub fn runs(pid: &str) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    trainyard_node::machine::stat(pid).is_some_and(|stat| !stat.zombie)
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
