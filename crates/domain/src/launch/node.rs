//! The plan of a node of a cluster.

use std::net::Ipv4Addr;

use crate::ids::{GpuId, Uid};
use crate::spec::{ClusterSpec, KeysOfRequests, SetupTask};
use crate::state::{BatchAiError, Share};

use super::behind::Behind;
use super::environment::{self, Variables};
use super::mounts::mounts;
use super::path::{MOUNT_ROOT, join, resolve_directory};
use super::plan::{NodeLimits, NodePaths, NodePlan, Process};
use super::script::bash;
use super::unavailable::{cluster_unavailable, vault_unavailable};

/// A node to be set up: all that its plan is made of.
pub struct NodeLaunch<'a> {
    /// The node.
    pub uid: Uid,
    /// Its id as users see it.
    pub name: &'a str,
    /// Its own address.
    pub address: Ipv4Addr,
    /// What is asked of its cluster, with the secrets filled in.
    pub cluster: &'a ClusterSpec,
    /// `stdOutErrPathSuffix` of the cluster.
    pub std_out_err_path_suffix: &'a str,
    /// Where things are on the node.
    pub paths: &'a NodePaths,
    /// What is behind a share.
    pub shares: &'a dyn Fn(&Share) -> Behind,
    /// The real directory of an entry of `fileServers`.
    pub file_servers: &'a dyn Fn(usize) -> String,
    /// GPUs that are its own.
    pub gpus: &'a [GpuId],
    /// How much it may use.
    pub limits: Option<NodeLimits>,
}

/// What the node has to be, or what its cluster asks for that this version cannot do.
pub fn node_plan(node: &NodeLaunch<'_>) -> Result<NodePlan, BatchAiError> {
    if let Some(error) = cluster_unavailable(node.cluster)
        .or_else(|| vault_unavailable(node.cluster, &KeysOfRequests::default()))
    {
        return Err(error);
    }
    let setup = node.cluster.node_setup.as_ref();
    let volumes = setup.and_then(|setup| setup.mount_volumes.as_ref());
    let task = setup
        .and_then(|setup| setup.setup_task.as_ref())
        .map(|task| Setup::new(node, task));
    let logs = task.as_ref().map(|task| task.logs.clone());
    Ok(NodePlan {
        uid: node.uid,
        name: node.name.to_owned(),
        address: node.address,
        mounts: mounts(volumes, &node.paths.mount_root, node.shares, node.file_servers),
        directories: [&node.paths.mount_root, &node.paths.jobs_root]
            .into_iter()
            .chain(&logs)
            .cloned()
            .collect(),
        execution_log: logs.map(|logs| join(&logs, &format!("execution-{}.log", node.name))),
        setup: task.map(|task| task.process),
        gpus: node.gpus.to_vec(),
        limits: node.limits.clone(),
    })
}

/// A setup task, and the directory of its files.
struct Setup {
    logs: String,
    process: Process,
}

impl Setup {
    fn new(node: &NodeLaunch<'_>, task: &SetupTask) -> Setup {
        let variables = Variables::from([(MOUNT_ROOT.to_owned(), node.paths.mount_root.clone())]);
        let home = &node.paths.jobs_root;
        let prefix = resolve_directory(&task.std_out_err_path_prefix, &variables, home);
        let logs = join(&prefix, node.std_out_err_path_suffix);
        let process = Process {
            name: "setup task".to_owned(),
            arguments: bash(task.command_line.clone()),
            environment: environment::whole(
                &Variables::new(),
                &variables,
                &task.environment_variables,
                &task.secrets,
            ),
            directory: home.clone(),
            stdout: join(&logs, &format!("stdout-{}.txt", node.name)),
            stderr: join(&logs, &format!("stderr-{}.txt", node.name)),
            decides: true,
        };
        Setup { logs, process }
    }
}
