//! The api-version 2018-05-01 (api.md sections 1, 3, 6 and 7).
//!
//! `*_create` and `*_update` read request bodies; the functions named after a resource write it.

mod cluster;
mod common;
mod experiment;
mod file_server;
mod job;
mod lists;
mod mounts;
mod toolkit;
mod workspace;

pub use cluster::{cluster, cluster_create, cluster_update};
pub(crate) use cluster::{read as read_cluster, scale as read_scale};
pub use experiment::{experiment, experiment_create};
pub(crate) use file_server::read as read_file_server;
pub use file_server::{file_server, file_server_create};
pub(crate) use job::read as read_job;
pub use job::{job, job_create};
pub use lists::{
    FileEntry, FileKind, OperationRow, RemoteLogin, UsageRow, files, list, operation_list, remote_login,
    usages,
};
pub use workspace::{WorkspaceCreate, workspace, workspace_create, workspace_update};

use trainyard_domain::spec::Checked;

use crate::body::{Object, Read};

/// Reads `properties` and has the result checked by the rules of the domain.
pub(crate) fn properties<T>(
    body: &[u8],
    read: impl FnOnce(&Object<'_>) -> Read<T>,
    check: impl FnOnce(&T) -> Checked,
) -> Read<T> {
    properties_of(&Object::root(&crate::body::json(body)?)?, read, check)
}

/// As `properties`, of a body that was read already.
pub(crate) fn properties_of<T>(
    body: &Object<'_>,
    read: impl FnOnce(&Object<'_>) -> Read<T>,
    check: impl FnOnce(&T) -> Checked,
) -> Read<T> {
    let spec = read(&body.object_or_absent("properties")?)?;
    check(&spec).map_err(|invalid| invalid.within("properties"))?;
    Ok(spec)
}
