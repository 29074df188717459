//! What the engine is given by whoever opens it.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use trainyard_domain::ids::GpuId;
use trainyard_node::container;
use trainyard_node::isolation::Account;

use crate::bridge::NoBridge;

/// How the engine works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Most nodes at once.
    pub max_nodes: u32,
    /// Variables that every process on a node gets where its plan does not name them: the server's PATH,
    /// HOME, USER, LANG, TZ, and what `local.pass_environment` names.
    pub environment: BTreeMap<String, String>,
    /// Whether nodes may use the cgroup v2 tree, where there is one. Without it processes are kept together
    /// by descent and a mark in their environment.
    pub cgroups: bool,
    /// Programs that the mount commands of users may run beside `mount`; `*` is any.
    pub mount_commands: Vec<String>,
    /// Whether plans have limits: then it is said at the start which of them the machine cannot enforce.
    pub limits: bool,
    /// Ports to choose from for jobs.
    pub ports: RangeInclusive<u16>,
    /// Where GPUs come from.
    pub gpus: GpuSource,
    /// How containers are run; their images are kept in the engine's folder, whatever the store named here.
    pub containers: container::Settings,
    /// How nodes are kept apart; not at all on the plain level. Nodes that run keep theirs.
    pub isolation: Option<IsolationSettings>,
    /// How long a node may take to leave before it is killed. A node gives its job 2 seconds.
    pub leave_within: Duration,
    /// How long a node may show no sign of life that should have ended a job; then it is killed.
    pub answer_within: Duration,
    /// How long a node keeps the directory of a job that is over, where no other job comes; `None` until one does.
    pub keep_job_temp: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_nodes: 64,
            environment: BTreeMap::new(),
            cgroups: true,
            mount_commands: Vec::new(),
            limits: true,
            ports: 20_000..=29_999,
            gpus: GpuSource::These(Vec::new()),
            containers: container::Settings::default(),
            isolation: None,
            leave_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(20),
            keep_job_temp: None,
        }
    }
}

/// How nodes are kept apart. Ask [`crate::isolation_here`] first whether that can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolationSettings {
    /// Folders that jobs must not see, the data folder first of all.
    pub hidden: Vec<PathBuf>,
    /// As whom jobs run; root when not given.
    pub account: Option<Account>,
    /// Subnet of the bridge on which each has an address and a network of its own; its last two numbers are 0.
    pub bridge: Option<Ipv4Addr>,
}

/// Where GPUs come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuSource {
    /// NVML finds those of this machine.
    Machine,
    /// These, whatever the machine has.
    These(Vec<GpuId>),
}

/// The program that is a node: it is started with these arguments and `--folder FOLDER` behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeProgram {
    /// The program, an absolute path.
    pub program: PathBuf,
    /// Its first arguments, such as `node`.
    pub arguments: Vec<String>,
    /// The first arguments with which it is called as `ssh` is and runs a command on another node of a job, such as
    /// `remote`.
    pub remote: Vec<String>,
}

/// Why an engine cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error("the engine cannot use the folder {folder}; check that it may be written")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Paths stand in environments and hostfiles, which are text.
    #[error("the path {folder} is not valid UTF-8; use another data folder")]
    NotText {
        /// The folder.
        folder: PathBuf,
    },
    /// The bridge of the nodes cannot be had.
    #[error("nodes cannot have a network of their own")]
    Bridge(#[from] NoBridge),
    /// The system refused a thread or descriptor.
    #[error("the engine cannot start its watch; too many processes or open files?")]
    Watch(#[source] io::Error),
}
