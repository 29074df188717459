//! What this version cannot do yet, said by name and never in silence.

use crate::spec::{ClusterSpec, JobSpec, KeysOfRequests, MountVolumes, Vaulted};
use crate::state::BatchAiError;

use super::mounts::volumes;

/// Why this version cannot run the job, if so: the first thing it asks for that is not built yet.
pub fn job_unavailable(spec: &JobSpec) -> Option<BatchAiError> {
    volume_unavailable(spec.mount_volumes.as_ref(), "properties.mountVolumes")
}

/// Why this version cannot set up nodes of the cluster, if so.
pub fn cluster_unavailable(spec: &ClusterSpec) -> Option<BatchAiError> {
    let setup = spec.node_setup.as_ref()?;
    volume_unavailable(setup.mount_volumes.as_ref(), "properties.nodeSetup.mountVolumes")
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

/// Why nothing can be started from the spec as it is, if so: a secret of it lies in a key vault, and was not fetched.
/// `keys` are the accounts whose keys it must bring along.
pub fn vault_unavailable(spec: &(impl Vaulted + Clone), keys: &KeysOfRequests) -> Option<BatchAiError> {
    let (member, reference) = spec.first_reference(keys)?;
    let in_clear = member.replace("SecretReference", "");
    let text = format!(
        "{member} is in the key vault {}, and this server fetches nothing from key vaults: set key_vaults.folder or \
         key_vaults.command in its configuration, or give the secret in {in_clear}.",
        reference.vault_name()
    );
    Some(BatchAiError::not_available(&member, text))
}
