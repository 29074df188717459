//! A data folder of its own with an engine, and plans for jobs in bash.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use trainyard_domain::ids::{Attempt, GpuId, PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePlan, Process, SharedDirectory};
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen, Observation, PlacementSeen};
use trainyard_engine_local::{GpuSource, LocalEngine, NodeProgram, Settings, end_all};
use trainyard_node::container;
use trainyard_node::files::{self, Folder, StatusFile};
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
    /// The GPUs of the machine, from the next opening on.
    pub gpus: Vec<GpuId>,
    program: NodeProgram,
    containers: container::Settings,
    _folder: TempDir,
}

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

    /// A yard on a machine with these GPUs.
    pub fn with_gpus(gpus: &[GpuId]) -> Yard {
        let mut yard = Yard::empty("");
        yard.gpus = gpus.to_vec();
        yard.open();
        yard
    }

    /// A yard whose jobs may have containers.
    pub fn with_containers(containers: container::Settings, cgroups: bool) -> Yard {
        let mut yard = Yard::empty("");
        yard.containers = containers;
        yard.cgroups = cgroups;
        yard.open();
        yard
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

    fn empty(path: &str) -> Yard {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(path);
        let program = NodeProgram {
            program: PathBuf::from(env!("CARGO_BIN_EXE_trainyard-test-node")),
            arguments: vec!["node".to_owned()],
            remote: vec!["remote".to_owned()],
        };
        Yard {
            root,
            cgroups: true,
            gpus: Vec::new(),
            program,
            containers: container::Settings::default(),
            engine: None,
            bell: Bell::default(),
            seen: Mutex::default(),
            _folder: folder,
        }
    }

    pub fn open(&mut self) {
        let environment = BTreeMap::from([("PASSED_ON".to_owned(), "yes".to_owned())]);
        let settings = Settings {
            environment,
            cgroups: self.cgroups,
            gpus: GpuSource::These(self.gpus.clone()),
            containers: self.containers.clone(),
            ..Settings::default()
        };
        let engine = LocalEngine::open(&self.root, settings, self.program.clone()).unwrap();
        let bell = Arc::clone(&self.bell);
        engine.on_change(Arc::new(move || {
            *bell.0.lock().unwrap() += 1;
            bell.1.notify_all();
        }));
        self.engine = Some(engine);
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
        Uid(uid)
    }

    pub fn node_plan(&self, uid: Uid, setup: Option<&str>) -> NodePlan {
        let out = self.root.join(format!("setup-{uid}")).display().to_string();
        NodePlan {
            uid,
            name: format!("tvm-1_{uid}"),
            address: std::net::Ipv4Addr::LOCALHOST,
            mounts: Vec::new(),
            directories: vec![out.clone()],
            setup: setup.map(|script| process("setup task", script, &out, &out)),
            execution_log: Some(format!("{out}/execution.log")),
            gpus: Vec::new(),
        }
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
            let out = self.out(placement, *node).display().to_string();
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

    pub fn verdict(&self, placement: PlacementId, node: Uid) -> Verdict {
        self.until(&format!("{placement} ends"), || {
            self.seen().into_iter().find_map(|seen| match seen {
                Observation::Placement {
                    node: n,
                    placement: p,
                    seen: PlacementSeen::Ended(verdict),
                } if n == node && p == placement => Some(verdict),
                _ => None,
            })
        })
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

/// Whether a process runs.
pub fn lives(pid: &str) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    trainyard_node::machine::stat(pid).is_some_and(|stat| !stat.zombie)
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
