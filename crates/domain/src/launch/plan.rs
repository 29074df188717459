//! The shape of a launch plan. Server and nodes share it, so it is versioned (see `node`'s files).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::caps::Caps;
use crate::ids::{GpuId, PlacementId, Uid};

use super::asked::Asked;
use super::behind::Behind;
use super::container::Container;

/// Beginning of the names of the sockets in the shared directory by which nodes take commands; the node's address
/// follows.
pub const SOCKET: &str = ".node-";

/// What one node has to do for one attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaunchPlan {
    /// Which attempt of which job.
    pub placement: PlacementId,
    /// Job directory on this node (`AZ_BATCHAI_JOB_TEMP`): made anew for the attempt.
    pub job_directory: String,
    /// Volumes of the job, in the order to mount them.
    pub mounts: Vec<Mount>,
    /// Directory shared by all nodes of the attempt, as it is on every node, and where this node shows it
    /// (`AZ_BATCHAI_SHARED_JOB_TEMP`).
    pub shared_directory: SharedDirectory,
    /// Directories to make after the mounts: stdout's and the output directories.
    pub directories: Vec<String>,
    /// Small files to write after the directories, path to content, such as the hostfile.
    pub files: BTreeMap<String, String>,
    /// Where the execution log goes.
    pub execution_log: String,
    /// Runs first, on every node; the toolkit starts once it has ended with 0 on all of them.
    pub preparation: Option<Process>,
    /// The toolkit's processes on this node; there may be none.
    pub processes: Vec<Process>,
    /// The attempt's nodes: this one's index, and how many there are. Where there is a preparation, no
    /// node starts the toolkit before every node is prepared.
    pub node_index: u32,
    /// How many nodes the attempt has.
    pub node_count: u32,
    /// Longest run in seconds of the boot-time clock, from the start of the attempt on this node.
    pub max_seconds: i64,
    /// Seconds between SIGTERM and SIGKILL when it is stopped.
    pub grace_seconds: u32,
    /// Nothing here decides the end of the job: the node waits until the attempt is stopped.
    #[serde(default)]
    pub until_stopped: bool,
    /// How commands come here from the attempt's other nodes; in plans of earlier versions they do not.
    #[serde(default)]
    pub remote: Option<Remote>,
    /// How much it may write here; plans of earlier versions set no limit.
    #[serde(default)]
    pub caps: Caps,
    /// The container in which preparation, processes and commands of other nodes run.
    #[serde(default)]
    pub container: Option<Container>,
}

/// How processes of the attempt start commands on this node, as MPI launchers do by SSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remote {
    /// Path of the socket that takes them, in the directory shared by the attempt's nodes: who cannot reach that
    /// cannot start anything.
    pub socket: String,
    /// The whole environment of such a command, as of [`Process`].
    pub environment: BTreeMap<String, String>,
    /// Its working directory.
    pub directory: String,
    /// Other paths of the socket: by the node's name, as its own is by the node's address.
    #[serde(default)]
    pub other_sockets: Vec<String>,
    /// Directory that comes first in the PATH of the attempt's processes; its `ssh` reaches the job's other nodes.
    #[serde(default)]
    pub tools: Option<String>,
}

/// A process to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// What it is, for the execution log: `job preparation`, `rank 0`.
    pub name: String,
    /// Program and arguments; the program is looked up in the PATH of `environment`.
    pub arguments: Vec<String>,
    /// The whole environment; the node adds PATH, HOME, USER, LANG, TZ where they are missing.
    pub environment: BTreeMap<String, String>,
    /// Working directory.
    pub directory: String,
    /// File for stdout, appended to.
    pub stdout: String,
    /// File for stderr, appended to.
    pub stderr: String,
    /// Whether its end decides the job's: the job succeeds when all that decide have ended with 0.
    pub decides: bool,
}

/// The directory that all nodes of an attempt share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedDirectory {
    /// The directory itself, made if missing.
    pub source: String,
    /// Where it appears on the node.
    pub path: String,
}

/// A volume, and where it appears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Where it appears on the node.
    pub path: String,
    /// What is behind it.
    #[serde(flatten)]
    pub behind: Behind,
    /// How it was asked for.
    #[serde(default)]
    pub asked: Asked,
    /// Options of the mount as its user wrote them; what of them has a meaning is up to what is behind it.
    #[serde(default)]
    pub options: Option<String>,
}

impl Mount {
    /// A volume at `path`, without options, of which nothing is known but what is behind it.
    pub fn new(path: impl Into<String>, behind: Behind) -> Mount {
        Mount {
            path: path.into(),
            behind,
            asked: Asked::Unsaid,
            options: None,
        }
    }
}

/// What a node has to be: its address, volumes and setup task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodePlan {
    /// The node.
    pub uid: Uid,
    /// Its id as users see it.
    pub name: String,
    /// Its own address.
    pub address: Ipv4Addr,
    /// Volumes of the cluster, in the order to mount them.
    pub mounts: Vec<Mount>,
    /// Directories to make after the mounts.
    pub directories: Vec<String>,
    /// The setup task; its end with 0 makes the node ready.
    pub setup: Option<Process>,
    /// Execution log of the setup task.
    pub execution_log: Option<String>,
    /// GPUs that are its own.
    #[serde(default)]
    pub gpus: Vec<GpuId>,
    /// How much it may use, with all that it runs; in plans of earlier versions nothing limits it.
    #[serde(default)]
    pub limits: Option<NodeLimits>,
}

/// How much a node may use: what a machine of its VM size has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeLimits {
    /// The VM size, as its cluster names it.
    pub vm_size: String,
    /// Cores, at least 1.
    pub cores: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Processes and threads at once.
    pub processes: u64,
}

/// Where things are on a node; the engine knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePaths {
    /// `AZ_BATCHAI_MOUNT_ROOT`.
    pub mount_root: String,
    /// `AZ_BATCHAI_JOB_TEMP_DIR`: root of all job directories.
    pub jobs_root: String,
    /// Root of the directories shared by the nodes of an attempt; the same on every node.
    pub shared_root: String,
    /// Program that is called as `ssh` is, `PROGRAM ADDRESS COMMAND…`, and runs the command on that node of the job.
    pub remote_shell: String,
    /// Whether the node has the network of its machine and reaches the others by the loopback interface there.
    pub share_loopback: bool,
    /// Whether all nodes are on one machine and run on the same cores.
    pub share_cores: bool,
    /// Whether nodes of one machine share no memory, although libraries may take them for one host.
    pub apart: bool,
}

impl NodePaths {
    /// Directory of the programs that jobs find on the node; none where there are none.
    pub fn tools(&self) -> Option<&str> {
        let (directory, _) = self.remote_shell.rsplit_once('/')?;
        (!directory.is_empty()).then_some(directory)
    }
}
