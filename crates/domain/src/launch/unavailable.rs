//! What this version cannot do yet, said by name and never in silence.

use crate::spec::{
    ClusterSpec, CommunicationBackend, JobSpec, MountVolumes, PyTorchSettings, SecretSource, SecretVariable,
    Toolkit,
};
use crate::state::BatchAiError;

use super::mounts::volumes;

/// A toolkit that this version can start.
pub(super) enum Runnable<'a> {
    /// A command on the master node, or nothing at all.
    Custom(Option<&'a str>),
    /// A script in several processes that find one another by themselves.
    PyTorch(&'a PyTorchSettings),
}

impl Runnable<'_> {
    /// The toolkit of a job, or what cannot be started yet.
    pub fn of(spec: &JobSpec) -> Result<Runnable<'_>, BatchAiError> {
        match &spec.toolkit {
            Toolkit::Custom(command) => Ok(Runnable::Custom(command.as_deref())),
            Toolkit::PyTorch(settings) => {
                let processes = settings.process_count.unwrap_or(spec.node_count);
                backend(settings, processes).map(|()| Runnable::PyTorch(settings))
            }
            toolkit @ (Toolkit::CustomPerNode(_)
            | Toolkit::Cntk(_)
            | Toolkit::TensorFlow(_)
            | Toolkit::Caffe(_)
            | Toolkit::Caffe2(_)
            | Toolkit::Chainer(_)
            | Toolkit::CustomMpi(_)
            | Toolkit::Horovod(_)) => Err(missing(
                &format!("properties.{}", toolkit.member()),
                "Use properties.customToolkitSettings with your own command, or properties.pyTorchSettings.",
            )),
        }
    }
}

/// Whether the processes can find one another.
fn backend(settings: &PyTorchSettings, processes: u32) -> Result<(), BatchAiError> {
    const MEMBER: &str = "properties.pyTorchSettings.communicationBackend";
    match settings.communication_backend {
        Some(CommunicationBackend::Gloo | CommunicationBackend::Tcp) => Ok(()),
        Some(CommunicationBackend::Mpi | CommunicationBackend::Nccl) | None if processes <= 1 => Ok(()),
        Some(CommunicationBackend::Mpi | CommunicationBackend::Nccl) => Err(BatchAiError::not_available(
            MEMBER,
            format!(
                "{MEMBER} mpi and nccl are not available in this version for more than one process. Use gloo or tcp."
            ),
        )),
        None => Err(BatchAiError::not_available(
            MEMBER,
            format!("{processes} PyTorch processes need a {MEMBER}, and there is none. Use gloo or tcp."),
        )),
    }
}

/// Why this version cannot run the job, if so: the first thing it asks for that is not built yet.
pub fn job_unavailable(spec: &JobSpec) -> Option<BatchAiError> {
    if spec.container_settings.is_some() {
        let instead = "Leave it out to run the job on the node itself.";
        return Some(missing("properties.containerSettings", instead));
    }
    Runnable::of(spec)
        .err()
        .or_else(|| volume_unavailable(spec.mount_volumes.as_ref(), "properties.mountVolumes"))
        .or_else(|| secret_unavailable(&spec.secrets, "properties.secrets"))
}

/// Why this version cannot set up nodes of the cluster, if so.
pub fn cluster_unavailable(spec: &ClusterSpec) -> Option<BatchAiError> {
    let setup = spec.node_setup.as_ref()?;
    let secrets = setup.setup_task.as_ref().map_or(&[][..], |task| &task.secrets);
    volume_unavailable(setup.mount_volumes.as_ref(), "properties.nodeSetup.mountVolumes")
        .or_else(|| secret_unavailable(secrets, "properties.nodeSetup.setupTask.secrets"))
}

fn volume_unavailable(mounts: Option<&MountVolumes>, at: &str) -> Option<BatchAiError> {
    let mounts = mounts?;
    let instead = "Use azureFileShares, azureBlobFileSystems or fileServers.";
    if !mounts.unmanaged_file_systems.is_empty() {
        return Some(missing(&format!("{at}.unmanagedFileSystems"), instead));
    }
    let wrong = volumes(mounts).into_iter().find(|v| v.behind.is_none())?;
    let member = format!("{at}.{}", wrong.member);
    let text = format!(
        "{member} does not name a share that can be mounted. Use letters, digits and '-' in the names of account \
         and share, and no '..' in a path."
    );
    Some(BatchAiError::not_available(&member, text))
}

fn secret_unavailable(secrets: &[SecretVariable], at: &str) -> Option<BatchAiError> {
    let i = secrets
        .iter()
        .position(|secret| matches!(secret.value, SecretSource::Vault(_)))?;
    let member = format!("{at}[{i}].valueSecretReference");
    Some(missing(&member, &format!("Give the secret in {at}[{i}].value.")))
}

/// What is asked for with `member` is not built yet; `instead` says what is.
fn missing(member: &str, instead: &str) -> BatchAiError {
    BatchAiError::not_available(
        member,
        format!("{member} is not available in this version. {instead}"),
    )
}
