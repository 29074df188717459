//! What this version cannot do yet, said by name and never in silence.

use crate::spec::{ClusterSpec, JobSpec, MountVolumes, SecretSource, SecretVariable};
use crate::state::BatchAiError;

use super::mounts::volumes;

/// Why this version cannot run the job, if so: the first thing it asks for that is not built yet.
pub fn job_unavailable(spec: &JobSpec) -> Option<BatchAiError> {
    if spec.container_settings.is_some() {
        let instead = "Leave it out to run the job on the node itself.";
        return Some(missing("properties.containerSettings", instead));
    }
    volume_unavailable(spec.mount_volumes.as_ref(), "properties.mountVolumes")
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
