//! What the engine is told, after the commit that decided it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tracing::warn;
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{JobLaunch, NodeLaunch, NodeLimits, job_plans, node_plan};
use trainyard_domain::spec::ClusterSpec;
use trainyard_domain::state::{Job, Node};
use trainyard_engine::{NodeSeen, Observation};
use trainyard_storage::{FileServers, FolderName};

use super::Pump;
use super::sources::{NoPlan, Sources};

/// How much longer than its job a mount's link is good: the start of the job's clock may come late, and clocks differ.
const BEYOND_A_JOB: SignedDuration = SignedDuration::from_hours(24);
/// How long the link of a cluster's volume is good: as long as a node may live. See docs/storage.md.
const OF_A_NODE: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Something the engine is told. It may be told twice, and later where a share must be looked for first.
pub enum Effect {
    /// The node is wanted.
    EnsureNode {
        /// The node.
        node: Box<Node>,
        /// Its cluster's wish, with secrets.
        spec: Box<ClusterSpec>,
        /// Last part of the setup task's output path.
        suffix: String,
        /// The folder of each entry of its `fileServers` that is not gone.
        folders: BTreeMap<u32, String>,
    },
    /// The node is not wanted.
    ReleaseNode(Uid),
    /// The job's attempt is wanted.
    Launch {
        /// The job, with secrets.
        job: Box<Job>,
        /// How many GPUs its nodes have; those that are not here have none.
        gpus: BTreeMap<Uid, u32>,
        /// The folder of each entry of its `fileServers` that is not gone.
        folders: BTreeMap<u32, String>,
    },
    /// The attempt is not wanted.
    Stop {
        /// The attempt.
        placement: PlacementId,
        /// Where.
        nodes: Vec<Uid>,
    },
    /// The end of the attempt is stored.
    Forget {
        /// The attempt.
        placement: PlacementId,
        /// Where.
        node: Uid,
    },
    /// The file server of this folder is gone.
    RemoveFolder(String),
}

impl Pump {
    /// Tells the engine, or fetches first what lies in key vaults. What fails here is seen in the next round.
    pub fn perform(&mut self, effect: Effect) {
        let Some(effect) = self.fetch_first(effect) else {
            return;
        };
        let engine = &self.ports.engine;
        match effect {
            Effect::EnsureNode {
                node,
                spec,
                suffix,
                folders,
            } => self.ensure_node(&node, &spec, &suffix, &folders),
            Effect::ReleaseNode(node) => engine.release_node(node),
            Effect::Launch { job, gpus, folders } => self.launch(&job, &gpus, &folders),
            Effect::Stop { placement, nodes } => engine.ensure_stopped(placement, &nodes),
            Effect::Forget { placement, node } => engine.forget(placement, node),
            Effect::RemoveFolder(name) => self.remove_folder(name),
        }
    }

    fn ensure_node(
        &mut self,
        node: &Node,
        spec: &ClusterSpec,
        suffix: &str,
        folders: &BTreeMap<u32, String>,
    ) {
        let setup = spec.node_setup.as_ref();
        let volumes = setup.and_then(|setup| setup.mount_volumes.as_ref());
        let now = self.ports.clock.now();
        let sources = Sources::new(&self.ports, &self.shares, volumes, folders, now + OF_A_NODE);
        let plan = node_plan(&NodeLaunch {
            uid: node.uid,
            name: &node.name,
            address: node.address,
            cluster: spec,
            std_out_err_path_suffix: suffix,
            paths: &self.ports.engine.paths(node.uid),
            shares: &|share| sources.share(share),
            file_servers: &|entry| sources.file_server(entry),
            gpus: &node.status.gpus,
            limits: self.limits(&spec.vm_size),
        });
        match sources.check(plan) {
            Ok(plan) => self.ports.engine.ensure_node(plan),
            Err(NoPlan::Waits) => {}
            Err(NoPlan::Failed(error)) => {
                let seen = NodeSeen::SetupFailed(vec![*error]);
                self.seen.push(Observation::Node { node: node.uid, seen });
            }
        }
    }

    /// What a node of the size may use. A size that is not in the configuration any more limits nothing.
    fn limits(&self, vm_size: &str) -> Option<NodeLimits> {
        let size = self.settings.vm_size(vm_size);
        let size = size.filter(|_| self.settings.enforce_limits)?;
        Some(NodeLimits {
            vm_size: vm_size.to_owned(),
            cores: size.cores,
            memory: size.memory,
            processes: size.processes,
        })
    }

    fn launch(&mut self, job: &Job, gpus: &BTreeMap<Uid, u32>, folders: &BTreeMap<u32, String>) {
        let Some(placement) = &job.status.placement else {
            return;
        };
        let longest = SignedDuration::from_secs(job.spec.max_wall_clock_seconds);
        let until = self.ports.clock.now() + longest + BEYOND_A_JOB;
        let volumes = job.spec.mount_volumes.as_ref();
        let sources = Sources::new(&self.ports, &self.shares, volumes, folders, until);
        let plans = job_plans(&JobLaunch {
            placement: job.placement_id(),
            spec: &job.spec,
            workspace: &job.workspace,
            experiment: &job.experiment,
            job: &job.meta.name,
            output_segment: &job.status.output_segment,
            layout: job.status.layout,
            nodes: &placement.nodes,
            port: placement.port,
            task_ports: &placement.task_ports,
            paths: &|node| self.ports.engine.paths(node),
            shares: &|share| sources.share(share),
            file_servers: &|entry| sources.file_server(entry),
            gpus: &|node| gpus.get(&node).copied().unwrap_or_default(),
            grace_seconds: self.settings.grace_seconds,
            caps: self.settings.caps,
        });
        match sources.check(plans) {
            Ok(plans) => self.ports.engine.ensure_launched(plans),
            Err(NoPlan::Waits) => {}
            Err(NoPlan::Failed(error)) => self.refused.push((job.placement_id(), *error)),
        }
    }

    /// Takes a folder away and has it deleted beside everything else. One that cannot be taken away stays, and
    /// the log names it at each start.
    fn remove_folder(&mut self, name: String) {
        let file_servers = &self.ports.file_servers;
        match FolderName::new(&name) {
            Err(error) => warn!(%error, "the folder of a file server is not removed"),
            Ok(folder) => match file_servers.set_aside(&folder) {
                Ok(()) => delete_folders(file_servers),
                Err(error) => {
                    let folder = file_servers.path(&folder);
                    warn!(folder = %folder.display(), %error, "the folder of a file server is not removed");
                }
            },
        }
        self.removed.push(name);
    }
}

/// Deletes what was set aside, on a thread: it may take long.
pub fn delete_folders(file_servers: &FileServers) {
    let own = file_servers.clone();
    let sweep = move || {
        own.sweep(|path, error| {
            warn!(folder = %path.display(), %error, "what is left of a file server cannot be deleted; it is tried again at the next start");
        });
    };
    let thread = std::thread::Builder::new().name("folders".to_owned());
    if let Err(error) = thread.spawn(sweep) {
        warn!(%error, "there is no thread to delete folders; they go at the next start");
    }
}
