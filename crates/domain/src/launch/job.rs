//! The launch plans of a job.

use std::collections::BTreeMap;

use crate::ids::{PlacementId, Uid};
use crate::name::Name;
use crate::spec::JobSpec;
use crate::state::{BatchAiError, PlacedNode, Share};

use super::mounts::mounts;
use super::plan::{LaunchPlan, NodePaths};
use super::site::{Site, Variables};
use super::unavailable::job_unavailable;
use super::work::Work;

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
    /// A port that is free on all of them, where the processes of the job meet; 0 if they need none.
    pub port: u16,
    /// More of them, one for each task that others connect to (see [`super::ports_of`]).
    pub task_ports: &'a [u16],
    /// Where things are on a node.
    pub paths: &'a dyn Fn(Uid) -> NodePaths,
    /// The real directory of a share.
    pub shares: &'a dyn Fn(&Share) -> String,
    /// The real directory of an entry of `fileServers`.
    pub file_servers: &'a dyn Fn(usize) -> String,
    /// How many GPUs a node has.
    pub gpus: &'a dyn Fn(Uid) -> u32,
    /// Seconds between SIGTERM and SIGKILL when it is stopped.
    pub grace_seconds: u32,
}

/// What each node has to do for the job, or what the job asks for that this version cannot do.
pub fn job_plans(job: &JobLaunch<'_>) -> Result<Vec<(Uid, LaunchPlan)>, BatchAiError> {
    if let Some(error) = job_unavailable(job.spec) {
        return Err(error);
    }
    let work = Work::of(job.spec);
    let plan = |(index, node)| plan(&Site::new(job, index, node), &work);
    Ok((0..).zip(job.nodes).map(plan).collect())
}

fn plan(site: &Site<'_>, work: &Work<'_>) -> (Uid, LaunchPlan) {
    let job = site.job;
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
        files: BTreeMap::from([(site.hostfile.clone(), job.hostfile(work))]),
        execution_log: site.own_file("execution", "log"),
        preparation: site.preparation(),
        processes: work.processes(site),
        node_index: site.index,
        node_count: site.node_count(),
        max_seconds: job.spec.max_wall_clock_seconds,
        grace_seconds: job.grace_seconds,
        // As stored with the placement: what ends the job must be what the node waits for.
        until_stopped: !site.node.decides,
        remote: Some(site.remote()),
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

    /// One line a node, as Open MPI reads it.
    fn hostfile(&self, work: &Work<'_>) -> String {
        let count = self.nodes.len() as u32;
        (0..)
            .zip(self.nodes)
            .map(|(index, node)| {
                let slots = work.slots(count, index, (self.gpus)(node.uid));
                format!("{} slots={slots}\n", node.address)
            })
            .collect()
    }

    /// The variables that are the same on all nodes (behaviour.md section 8).
    pub(super) fn variables(&self) -> Variables {
        let mut variables = Variables::from([("AZ_BATCHAI_MPI_MASTER_NODE".to_owned(), self.master())]);
        if self.nodes.len() > 1 {
            let hosts: Vec<String> = self.nodes.iter().map(|node| node.address.to_string()).collect();
            variables.insert("AZ_BATCH_HOST_LIST".to_owned(), hosts.join(","));
        }
        variables
    }
}
