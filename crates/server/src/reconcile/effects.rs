//! What the engine is told, after the commit that decided it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tracing::warn;
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{JobLaunch, NodeLaunch, job_plans, node_plan};
use trainyard_domain::spec::ClusterSpec;
use trainyard_domain::state::{BatchAiError, Job, Node, Share, ShareKind};
use trainyard_engine::{NodeSeen, Observation};
use trainyard_storage::{AccountName, Accounts, Kind, ShareName};

use super::Pump;

/// Something the engine is told. It may be told twice.
pub enum Effect {
    /// The node is wanted.
    EnsureNode {
        /// The node.
        node: Box<Node>,
        /// Its cluster's wish, with secrets.
        spec: Box<ClusterSpec>,
        /// Last part of the setup task's output path.
        suffix: String,
    },
    /// The node is not wanted.
    ReleaseNode(Uid),
    /// The job's attempt is wanted.
    Launch {
        /// The job, with secrets.
        job: Box<Job>,
        /// How many GPUs its nodes have; those that are not here have none.
        gpus: BTreeMap<Uid, u32>,
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
}

impl Pump {
    /// Tells the engine. What fails here is seen in the next round.
    pub fn perform(&mut self, effect: Effect) {
        let engine = &self.ports.engine;
        match effect {
            Effect::EnsureNode { node, spec, suffix } => self.ensure_node(&node, &spec, &suffix),
            Effect::ReleaseNode(node) => engine.release_node(node),
            Effect::Launch { job, gpus } => self.launch(&job, &gpus),
            Effect::Stop { placement, nodes } => engine.ensure_stopped(placement, &nodes),
            Effect::Forget { placement, node } => engine.forget(placement, node),
        }
    }

    fn ensure_node(&mut self, node: &Node, spec: &ClusterSpec, suffix: &str) {
        let shares = Shares::new(&self.ports.accounts);
        let plan = node_plan(&NodeLaunch {
            uid: node.uid,
            name: &node.name,
            address: node.address,
            cluster: spec,
            std_out_err_path_suffix: suffix,
            paths: &self.ports.engine.paths(node.uid),
            shares: &|share| shares.directory(share),
            gpus: &node.status.gpus,
        });
        match shares.check(plan) {
            Ok(plan) => self.ports.engine.ensure_node(plan),
            Err(error) => {
                let seen = NodeSeen::SetupFailed(vec![error]);
                self.seen.push(Observation::Node { node: node.uid, seen });
            }
        }
    }

    fn launch(&mut self, job: &Job, gpus: &BTreeMap<Uid, u32>) {
        let Some(placement) = &job.status.placement else {
            return;
        };
        let shares = Shares::new(&self.ports.accounts);
        let plans = job_plans(&JobLaunch {
            placement: job.placement_id(),
            spec: &job.spec,
            workspace: &job.workspace,
            experiment: &job.experiment,
            job: &job.meta.name,
            output_segment: &job.status.output_segment,
            nodes: &placement.nodes,
            port: placement.port,
            task_ports: &placement.task_ports,
            paths: &|node| self.ports.engine.paths(node),
            shares: &|share| shares.directory(share),
            gpus: &|node| gpus.get(&node).copied().unwrap_or_default(),
            grace_seconds: self.settings.grace_seconds,
        });
        match shares.check(plans) {
            Ok(plans) => self.ports.engine.ensure_launched(plans),
            Err(error) => self.refused.push((job.placement_id(), error)),
        }
    }
}

/// Real directories of shares, made when first asked for; a failure is kept for the end.
struct Shares<'a> {
    accounts: &'a Accounts,
    failed: RefCell<Option<BatchAiError>>,
}

impl<'a> Shares<'a> {
    fn new(accounts: &'a Accounts) -> Shares<'a> {
        Shares {
            accounts,
            failed: RefCell::new(None),
        }
    }

    fn directory(&self, share: &Share) -> String {
        match self.ensure(share) {
            Ok(directory) => directory,
            Err(error) => {
                self.failed.replace(Some(error));
                String::new()
            }
        }
    }

    fn ensure(&self, share: &Share) -> Result<String, BatchAiError> {
        let (kind, code, what) = match share.kind {
            ShareKind::File => (Kind::FileShare, "AZFMountError", "Unable to mount Azure File"),
            ShareKind::Blob => (
                Kind::BlobContainer,
                "BFSMountError",
                "unable to mount blob fuse file system",
            ),
        };
        let failed = |why: String| {
            warn!(
                account = share.account,
                share = share.name,
                why,
                "a share cannot be used"
            );
            BatchAiError {
                details: vec![("Info".to_owned(), why)],
                ..BatchAiError::new(code, what)
            }
        };
        let account = AccountName::new(&share.account).map_err(|error| failed(error.to_string()))?;
        let name = ShareName::new(&share.name).map_err(|error| failed(error.to_string()))?;
        let path = self
            .accounts
            .ensure(&account, kind, &name)
            .map_err(|error| failed(error.to_string()))?;
        path.into_os_string()
            .into_string()
            .map_err(|_| failed("The directory's path is not UTF-8.".to_owned()))
    }

    fn check<T>(&self, plan: Result<T, BatchAiError>) -> Result<T, BatchAiError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => plan,
        }
    }
}
