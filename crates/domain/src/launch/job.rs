//! The launch plans of a job.

use std::collections::BTreeMap;

use crate::ids::{PlacementId, Uid};
use crate::name::Name;
use crate::spec::JobSpec;
use crate::state::{BatchAiError, PlacedNode, Share};

use super::mounts::mounts;
use super::plan::{LaunchPlan, NodePaths};
use super::site::{Site, Variables};
use super::unavailable::{Runnable, job_unavailable};
use super::{custom, pytorch};

/// One attempt of a job on its nodes: all that its plans are made of.
pub struct JobLaunch<'a> {
    /// Which attempt of which job.
    pub placement: PlacementId,
    /// What is asked for, with its secrets filled in.
    pub spec: &'a JobSpec,
    /// The workspace of the job.
    pub workspace: &'a Name,
    /// Its experiment.
    pub experiment: &'a Name,
    /// Its name.
    pub job: &'a Name,
    /// `jobOutputDirectoryPathSegment`.
    pub output_segment: &'a str,
    /// The nodes, the master first.
    pub nodes: &'a [PlacedNode],
    /// A port that is free on all of them.
    pub port: u16,
    /// Where things are on a node.
    pub paths: &'a dyn Fn(Uid) -> NodePaths,
    /// The real directory of a share.
    pub shares: &'a dyn Fn(&Share) -> String,
    /// The real directory of an entry of `fileServers`.
    pub file_servers: &'a dyn Fn(usize) -> String,
    /// GPUs of each node.
    pub gpus_per_node: u32,
    /// Seconds between SIGTERM and SIGKILL when it is stopped.
    pub grace_seconds: u32,
}

/// What each node has to do for the job, or what the job asks for that this version cannot do.
pub fn job_plans(job: &JobLaunch<'_>) -> Result<Vec<(Uid, LaunchPlan)>, BatchAiError> {
    if let Some(error) = job_unavailable(job.spec) {
        return Err(error);
    }
    let runnable = Runnable::of(job.spec)?;
    let plan = |(index, node)| plan(&Site::new(job, index, node), &runnable);
    Ok(job.nodes.iter().enumerate().map(plan).collect())
}

fn plan(site: &Site<'_>, runnable: &Runnable<'_>) -> (Uid, LaunchPlan) {
    let job = site.job;
    let processes = match runnable {
        Runnable::Custom(command) => custom::processes(site, *command),
        Runnable::PyTorch(settings) => pytorch::processes(site, settings),
    };
    let outputs = site.outputs.iter().map(|(_, path)| path);
    let directories = [&site.job_mounts, &site.stdouterr].into_iter().chain(outputs);
    let plan = LaunchPlan {
        placement: job.placement,
        job_directory: site.job_temp.clone(),
        mounts: mounts(
            job.spec.mount_volumes.as_ref(),
            &site.job_mounts,
            job.shares,
            job.file_servers,
        ),
        shared_directory: site.shared.clone(),
        directories: directories.cloned().collect(),
        files: BTreeMap::from([(site.hostfile.clone(), job.hostfile())]),
        execution_log: site.own_file("execution", "log"),
        preparation: site.preparation(),
        processes,
        node_index: site.index as u32,
        node_count: job.nodes.len() as u32,
        max_seconds: job.spec.max_wall_clock_seconds,
        grace_seconds: job.grace_seconds,
    };
    (site.node.uid, plan)
}

impl JobLaunch<'_> {
    /// Address of the first node.
    pub(super) fn master(&self) -> String {
        self.nodes
            .first()
            .map(|node| node.address.to_string())
            .unwrap_or_default()
    }

    /// One line a node, as OpenMPI reads it; a slot for each GPU, at least one (behaviour.md section 9).
    fn hostfile(&self) -> String {
        let slots = self.gpus_per_node.max(1);
        self.nodes
            .iter()
            .map(|node| format!("{} slots={slots}\n", node.address))
            .collect()
    }

    /// The variables that are the same on all nodes (behaviour.md section 8).
    pub(super) fn variables(&self) -> Variables {
        let gpus = self.gpus_per_node.to_string();
        let mut variables: Variables = [
            ("AZ_BATCHAI_MPI_MASTER_NODE", self.master()),
            ("AZ_BATCHAI_NUM_GPUS", gpus.clone()),
            ("AZ_BATCHAI_NUM_GPUS_PER_NODE", gpus),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if self.nodes.len() > 1 {
            let hosts: Vec<String> = self.nodes.iter().map(|node| node.address.to_string()).collect();
            variables.insert("AZ_BATCH_HOST_LIST".to_owned(), hosts.join(","));
        }
        variables
    }
}
