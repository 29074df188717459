//! The launch plans of a job.

use std::collections::BTreeMap;

use crate::ids::Uid;
use crate::spec::KeysOfRequests;
use crate::state::BatchAiError;

use super::attempt::JobLaunch;
use super::container::{Container, FAILED_STARTING_CONTAINER, container};
use super::mounts::mounts;
use super::plan::LaunchPlan;
use super::site::Site;
use super::unavailable::{job_unavailable, vault_unavailable};
use super::work::Work;

/// What each node has to do for the job, or what the job asks for that this version cannot do.
pub fn job_plans(job: &JobLaunch<'_>) -> Result<Vec<(Uid, LaunchPlan)>, BatchAiError> {
    if let Some(error) =
        job_unavailable(job.spec).or_else(|| vault_unavailable(job.spec, &KeysOfRequests::default()))
    {
        return Err(error);
    }
    let work = Work::of(job.spec);
    let plan = |(index, node)| plan(&Site::new(job, index, node), &work);
    (0..).zip(job.nodes).map(plan).collect()
}

fn plan(site: &Site<'_>, work: &Work<'_>) -> Result<(Uid, LaunchPlan), BatchAiError> {
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
        files: BTreeMap::from([(site.hostfile.clone(), hostfile(job, work))]),
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
        caps: job.caps,
        container: container_of(site)?,
    };
    Ok((site.node.uid, plan))
}

fn container_of(site: &Site<'_>) -> Result<Option<Container>, BatchAiError> {
    let Some(settings) = &site.job.spec.container_settings else {
        return Ok(None);
    };
    container(settings, &site.remote_shell).map(Some).map_err(|why| {
        let mut error = BatchAiError::new(FAILED_STARTING_CONTAINER, "unable to start docker container");
        error
            .details
            .push(("imageName".to_owned(), settings.image.clone()));
        error.details.push(("Info".to_owned(), why));
        error
    })
}

/// One line a node, as Open MPI reads it.
fn hostfile(job: &JobLaunch<'_>, work: &Work<'_>) -> String {
    let count = job.nodes.len() as u32;
    (0..)
        .zip(job.nodes)
        .map(|(index, node)| {
            let slots = work.slots(count, index, (job.gpus)(node.uid));
            format!("{} slots={slots}\n", node.address)
        })
        .collect()
}
