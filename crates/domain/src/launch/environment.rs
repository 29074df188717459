//! What processes find in their environment.
//!
//! What is documented (behaviour.md section 8) nothing overrides; what launchers of today look for, a user may say
//! otherwise.

use std::collections::BTreeMap;

use crate::spec::{
    CommunicationBackend, EnvironmentVariable, PyTorchSettings, SecretSource, SecretVariable, Toolkit,
};

use super::attempt::JobLaunch;
use super::expand::expand;
use super::path::join;
use super::plan::NodePaths;

/// Variables by name.
pub(super) type Variables = BTreeMap<String, String>;

/// A whole environment: the defaults, over them the user's variables with what is ours expanded in them, then the
/// user's secrets, then `ours`, which nothing overrides.
pub(super) fn whole(
    defaults: &Variables,
    ours: &Variables,
    variables: &[EnvironmentVariable],
    secrets: &[SecretVariable],
) -> Variables {
    let mut known = defaults.clone();
    known.extend(ours.clone());
    let plain = variables
        .iter()
        .map(|v| (v.name.clone(), expand(&v.value, &known)));
    let secret = secrets.iter().filter_map(|variable| match &variable.value {
        SecretSource::Value(secret) => Some((variable.name.clone(), secret.reveal().to_owned())),
        // Refused before any plan is made, see `unavailable`.
        SecretSource::Vault(_) => None,
    });
    let ours = ours.iter().map(|(name, value)| (name.clone(), value.clone()));
    let defaults = defaults.iter().map(|(name, value)| (name.clone(), value.clone()));
    defaults.chain(plain).chain(secret).chain(ours).collect()
}

/// The variables that are the same on all nodes (behaviour.md section 8).
pub(super) fn of_all_nodes(job: &JobLaunch<'_>) -> Variables {
    let mut variables = Variables::from([("AZ_BATCHAI_MPI_MASTER_NODE".to_owned(), job.master())]);
    if job.nodes.len() > 1 {
        let hosts: Vec<String> = job.nodes.iter().map(|node| node.address.to_string()).collect();
        variables.insert("AZ_BATCH_HOST_LIST".to_owned(), hosts.join(","));
    }
    variables
}

/// What modern launchers (torchrun, accelerate, JAX) want to know: address and port of the master, and which node this
/// is of how many; nothing for a job that has no port to meet at. RANK and WORLD_SIZE are not here: where nobody starts
/// one process a rank they make a script wait for ever.
pub(super) fn of_launchers(job: &JobLaunch<'_>, node: u32) -> Variables {
    if job.port == 0 {
        return Variables::new();
    }
    [
        ("MASTER_ADDR", job.master()),
        ("MASTER_PORT", job.port.to_string()),
        ("NNODES", job.nodes.len().to_string()),
        ("NODE_RANK", node.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// What makes any `mpirun` reach the nodes of its job, the user's own call of it too. A user's variables win.
///
/// Nodes that share a loopback interface must be told to use it, those that share cores not to fight for them. What
/// Open MPI keeps in files goes to the job's directory `job_temp` on each node, and so its helpers read the variables of
/// their own node instead of the master's: in one directory the helpers of two nodes overwrite each other's files and
/// crash, and in `/tmp` jobs that end race with jobs that begin.
pub(super) fn of_mpi(paths: &NodePaths, job_temp: &str) -> Variables {
    let shell = paths.remote_shell.as_str();
    let mut all = vec![
        ("HYDRA_LAUNCHER", "rsh"),
        ("HYDRA_LAUNCHER_EXEC", shell),
        ("I_MPI_HYDRA_BOOTSTRAP", "rsh"),
        ("I_MPI_HYDRA_BOOTSTRAP_EXEC", shell),
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_orte_tmpdir_base", job_temp),
        ("OMPI_MCA_plm_rsh_agent", shell),
        ("OMPI_MCA_plm_rsh_pass_environ_mca_params", "0"),
        ("PRTE_ALLOW_RUN_AS_ROOT", "1"),
        ("PRTE_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("PRTE_MCA_plm_ssh_agent", shell),
        ("PRTE_MCA_prte_tmpdir_base", job_temp),
    ];
    if paths.share_cores {
        all.extend([
            ("OMPI_MCA_hwloc_base_binding_policy", "none"),
            ("OMPI_MCA_mpi_yield_when_idle", "1"),
            ("PRTE_MCA_hwloc_default_binding_policy", "none"),
        ]);
    }
    if paths.share_loopback {
        all.extend([
            ("HYDRA_IFACE", "lo"),
            ("I_MPI_HYDRA_IFACE", "lo"),
            ("OMPI_MCA_btl_tcp_if_exclude", "docker0"),
        ]);
    } else if paths.apart {
        // Each has a network of its own, with this link in it.
        all.extend([("HYDRA_IFACE", "eth0"), ("I_MPI_HYDRA_IFACE", "eth0")]);
    }
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// UCX takes processes of one machine for neighbours, and would have them meet in memory that nodes or containers which
/// are kept apart do not share: their job would wait for ever.
pub(super) fn of_apart() -> Variables {
    Variables::from([("UCX_TLS".to_owned(), "tcp,self".to_owned())])
}

/// What tells PyTorch processes where they meet, and how they talk. `shared` is the job's shared directory.
pub(super) fn of_pytorch(job: &JobLaunch<'_>, shared: &str) -> Variables {
    let Toolkit::PyTorch(PyTorchSettings {
        communication_backend: Some(backend),
        ..
    }) = job.spec.toolkit
    else {
        return Variables::new();
    };
    [
        ("AZ_BATCHAI_PYTORCH_BACKEND", backend_name(backend).to_owned()),
        (
            "AZ_BATCHAI_PYTORCH_INIT_METHOD",
            init_method(job, shared, backend),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn backend_name(backend: CommunicationBackend) -> &'static str {
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
