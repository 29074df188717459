//! The file servers that a cluster or a job mounts.

use trainyard_domain::name::{Name, SubscriptionId};
use trainyard_domain::resource_id::workspace_id;
use trainyard_domain::spec::{FileServerReference, MountVolumes};
use trainyard_domain::state::{FileServer, Provisioning};
use trainyard_store::Tx;

use super::{absent_is_none, standing_workspace};
use crate::access::Caller;
use crate::arm_error::{ApiError, Kind};
use crate::http::Call;
use crate::ops::Access;

/// The file servers of `fileServers`, in its order: each of the same subscription, standing, and one that the
/// caller may use. `at` is the path of the volumes in the body.
pub(super) fn file_servers_of(
    tx: &Tx<'_>,
    call: &Call,
    volumes: Option<&MountVolumes>,
    at: &str,
) -> Result<Vec<FileServer>, ApiError> {
    let entries = volumes.map_or(&[][..], |volumes| &volumes.file_servers);
    let user = User {
        caller: &call.caller,
        action: call.operation.action,
        subscription: &call.subscription()?,
    };
    let find = |(i, entry)| user.file_server(tx, entry, &format!("{at}.fileServers[{i}].fileServer.id"));
    entries.iter().enumerate().map(find).collect()
}

/// Who wants to mount, and where.
pub(super) struct User<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// What for.
    pub action: &'static str,
    /// The subscription of what is to mount it.
    pub subscription: &'a SubscriptionId,
}

impl User<'_> {
    /// A file server that is there, stands, and may be used.
    pub(super) fn file_server(
        &self,
        tx: &Tx<'_>,
        entry: &FileServerReference,
        at: &str,
    ) -> Result<FileServer, ApiError> {
        let path = entry
            .file_server
            .file_server()
            .ok_or_else(|| ApiError::invalid(at, "This is not the id of a file server."))?;
        let missing = |name: &Name| ApiError::NotFound {
            kind: Kind::FileServer,
            name: name.to_string(),
            target: Some(at.to_owned()),
        };
        if path.scope.subscription.key() != self.subscription.key() {
            return Err(missing(&path.name));
        }
        let scope = workspace_id(&path.scope, &path.workspace).to_ascii_lowercase();
        self.caller.check(Access::Write, &scope, self.action)?;
        let found = standing_workspace(tx, &path.scope, &path.workspace)
            .and_then(|workspace| Ok(tx.file_server(workspace.meta.uid, &path.name)?));
        let found = absent_is_none(found)?
            .flatten()
            .ok_or_else(|| missing(&path.name))?;
        match found.meta.provisioning {
            Provisioning::Succeeded => Ok(found),
            Provisioning::Failed => Err(ApiError::FileServerFailed {
                name: found.meta.name.to_string(),
                target: at.to_owned(),
            }),
            Provisioning::Deleting => Err(missing(&path.name)),
        }
    }
}
