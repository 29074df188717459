//! What this version cannot do yet, said by name and never in silence.

use crate::spec::{ClusterSpec, JobSpec, MountVolumes, SecretSource, SecretVariable};
use crate::state::BatchAiError;

use super::mounts::volumes;

/// Why this version cannot run the job, if so: the first thing it asks for that is not built yet.
pub fn job_unavailable(spec: &JobSpec) -> Option<BatchAiError> {
    volume_unavailable(spec.mount_volumes.as_ref(), "properties.mountVolumes")
        .or_else(|| secret_unavailable(&spec.secrets, "properties.secrets"))
        .or_else(|| password_unavailable(spec))
}

fn password_unavailable(spec: &JobSpec) -> Option<BatchAiError> {
    let credentials = spec.container_settings.as_ref()?.credentials.as_ref()?;
    let at = "properties.containerSettings.imageSourceRegistry.credentials";
    matches!(credentials.password, SecretSource::Vault(_)).then(|| {
        missing(
            &format!("{at}.passwordSecretReference"),
            &format!("Give the password in {at}.password."),
        )
    })
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
