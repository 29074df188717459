//! The file servers that a cluster or a job mounts.

use trainyard_domain::name::SubscriptionId;
use trainyard_domain::resource_id::{ResourceId, file_server_id};
use trainyard_domain::spec::{FileServerReference, MountVolumes};
use trainyard_domain::state::{FileServer, Provisioning};
use trainyard_store::Tx;

use super::place::Place;
use super::{absent_is_none, standing_workspace};
use crate::access::Caller;
use crate::arm_error::{ApiError, Kind};
use crate::http::Call;
use crate::ops::Access;

/// The file servers of `fileServers`, in its order: each of the same subscription, standing, and one that the
/// caller may use. `at` is the path of the volumes in the body. Flat ids become those of 2018-05-01.
pub(super) fn file_servers_of(
    tx: &Tx<'_>,
    call: &Call,
    volumes: Option<&mut MountVolumes>,
    at: &str,
) -> Result<Vec<FileServer>, ApiError> {
    let user = User {
        caller: &call.caller,
        action: call.operation.action,
        subscription: &call.subscription()?,
    };
    let mut servers = Vec::new();
    for (i, entry) in volumes
        .into_iter()
        .flat_map(|volumes| &mut volumes.file_servers)
        .enumerate()
    {
        let at = format!("{at}.fileServers[{i}].fileServer.id");
        let server = user.file_server(tx, entry, &at)?;
        if entry.file_server.flat_file_server().is_some() {
            let id = file_server_id(&server.scope, &server.workspace, &server.meta.name);
            entry.file_server = ResourceId::new(&id, &at)?;
        }
        servers.push(server);
    }
    Ok(servers)
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
        let (place, name) = Place::of_file_server(&entry.file_server)
            .ok_or_else(|| ApiError::invalid(at, "This is not the id of a file server."))?;
        let missing = || ApiError::NotFound {
            kind: Kind::FileServer,
            name: name.to_string(),
            target: Some(at.to_owned()),
        };
        if place.group().subscription.key() != self.subscription.key() {
            return Err(missing());
        }
        self.caller.check(Access::Write, &place.scope(), self.action)?;
        let found = place.find(tx, (Kind::FileServer, &name), |workspace| {
            Ok(tx.file_server(workspace.meta.uid, &name)?)
        });
        let found = absent_is_none(found)?.ok_or_else(missing)?;
        standing_workspace(tx, &found.scope, &found.workspace)?;
        match found.meta.provisioning {
            Provisioning::Succeeded => Ok(found),
            Provisioning::Failed => Err(ApiError::FileServerFailed {
                name: found.meta.name.to_string(),
                target: at.to_owned(),
            }),
            Provisioning::Deleting => Err(missing()),
        }
    }
}
