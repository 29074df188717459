//! No export has secrets, so a cluster is imported without them. The first PUT that means the same cluster brings them:
//! scripts that make their cluster before they use it go on as they are.

use std::collections::BTreeMap;

use trainyard_domain::secret::Secret;
use trainyard_domain::spec::{ClusterSpec, Secrets};
use trainyard_domain::state::Cluster;
use trainyard_store::Tx;

use crate::arm_error::ApiError;

/// The whole wish of an imported cluster that a PUT completes; `None` where it was not imported, lacks nothing, or the
/// PUT means another cluster.
pub fn completed(tx: &Tx<'_>, found: &Cluster, wish: &ClusterSpec) -> Result<Option<ClusterSpec>, ApiError> {
    if tx.import_of(found.meta.uid)?.is_none() {
        return Ok(None);
    }
    Ok(complete(&tx.cluster_secrets(found)?, wish))
}

fn complete(there: &ClusterSpec, wish: &ClusterSpec) -> Option<ClusterSpec> {
    let mut given: BTreeMap<String, Secret> = BTreeMap::new();
    wish.clone().secrets(&mut |path, secret| {
        given.insert(path, secret.clone());
    });
    let mut whole = there.clone();
    let mut lacks = false;
    whole.secrets(&mut |path, secret| {
        if secret.reveal().is_empty() {
            lacks = true;
            *secret = given.get(&path).cloned().unwrap_or_default();
        }
    });
    let account = &there.user_account_settings;
    let empty = |password: &Secret| password.reveal().is_empty();
    if account.admin_user_password.as_ref().is_some_and(empty)
        && account.admin_user_name == wish.user_account_settings.admin_user_name
    {
        whole.user_account_settings = wish.user_account_settings.clone();
    }
    // It was imported without nodes, and it may have been exported with a subnet that it only got.
    whole.scale = wish.scale.clone();
    let subnet = wish.subnet.clone().or_else(|| there.subnet.clone());
    let same = whole
        == ClusterSpec {
            subnet,
            ..wish.clone()
        };
    (lacks && same).then_some(whole)
}
