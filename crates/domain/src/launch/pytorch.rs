//! pyTorchSettings with gloo, TCP or nccl: one process a rank (behaviour.md section 9).

use crate::spec::{CommunicationBackend, PyTorchSettings, Toolkit};

use super::job::JobLaunch;
use super::path::join;
use super::plan::Process;
use super::script;
use super::site::{Site, Variables};
use super::work::spread;

/// The processes of this node; every rank decides.
pub(super) fn processes(site: &Site<'_>, settings: &PyTorchSettings, count: u32) -> Vec<Process> {
    let ranks = spread(count, site.node_count(), site.index);
    let first = ranks.start;
    ranks
        .map(|rank| {
            let mut process = site.process(
                &format!("rank {rank}"),
                script::python(&settings.script),
                &variables(site, rank),
                &format!("-{rank}.txt"),
            );
            for (name, value) in [
                ("RANK", rank),
                ("WORLD_SIZE", count),
                ("LOCAL_RANK", rank - first),
            ] {
                let value = value.to_string();
                process.environment.entry(name.to_owned()).or_insert(value);
            }
            process
        })
        .collect()
}

fn variables(site: &Site<'_>, rank: u32) -> Variables {
    let mut variables = site.variables.clone();
    variables.insert("AZ_BATCHAI_TASK_INDEX".to_owned(), rank.to_string());
    variables
}

/// What tells PyTorch processes where they meet, and how they talk. `shared` is the job's shared directory.
pub(super) fn rendezvous(job: &JobLaunch<'_>, shared: &str) -> Variables {
    let Toolkit::PyTorch(PyTorchSettings {
        communication_backend: Some(backend),
        ..
    }) = job.spec.toolkit
    else {
        return Variables::new();
    };
    [
        ("AZ_BATCHAI_PYTORCH_BACKEND", name(backend).to_owned()),
        (
            "AZ_BATCHAI_PYTORCH_INIT_METHOD",
            init_method(job, shared, backend),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn name(backend: CommunicationBackend) -> &'static str {
    match backend {
        CommunicationBackend::Tcp => "tcp",
        CommunicationBackend::Gloo => "gloo",
        CommunicationBackend::Mpi => "mpi",
        CommunicationBackend::Nccl => "nccl",
    }
}

/// Where the ranks meet. PyTorch wants a file that was never used, so its name has the attempt in it.
fn init_method(job: &JobLaunch<'_>, shared: &str, backend: CommunicationBackend) -> String {
    match backend {
        CommunicationBackend::Tcp | CommunicationBackend::Nccl if job.port != 0 => {
            format!("tcp://{}:{}", job.master(), job.port)
        }
        CommunicationBackend::Tcp
        | CommunicationBackend::Nccl
        | CommunicationBackend::Gloo
        | CommunicationBackend::Mpi => {
            let file = format!("pytorch-{}", job.placement.attempt);
            format!("file://{}", join(shared, &file))
        }
    }
}
