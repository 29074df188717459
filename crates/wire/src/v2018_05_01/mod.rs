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
pub use experiment::{experiment, experiment_create};
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
    let value = crate::body::json(body)?;
    let spec = read(&Object::root(&value)?.object_or_absent("properties")?)?;
    check(&spec).map_err(|invalid| invalid.within("properties"))?;
    Ok(spec)
}
