//! File servers (api.md section 3). One is a folder of this machine, so it stands as soon as its record does.

use std::sync::Arc;

use trainyard_domain::name::Name;
use trainyard_domain::resource_id::file_server_id;
use trainyard_domain::state::{FileServer, MountSettings};
use trainyard_store::Snapshot;
use trainyard_wire::v2018_05_01 as wire;

use super::{
    CallLinks, Outcome, WorkspacePath, absent_is_none, etag, list as list_reply, standing,
    standing_workspace, workspace_of,
};
use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};

/// Export path of a file server (behaviour.md section 3).
const MOUNT_POINT: &str = "/data";

fn reply(server: &FileServer) -> Reply {
    Reply::resource(&server.meta, wire::file_server(server))
}

fn find(s: &Snapshot<'_>, path: &WorkspacePath, name: &Name) -> Result<FileServer, ApiError> {
    let workspace = workspace_of(s, &path.group, &path.workspace)?;
    s.file_server(workspace.meta.uid, name)?
        .ok_or_else(|| ApiError::not_found(Kind::FileServer, name))
}

/// FileServers_Get.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (path, name) = (call.workspace_path()?, call.name("fileServerName")?);
    Ok(reply(&app.read(|s| find(s, &path, &name))?))
}

/// FileServers_ListByWorkspace.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (path, page) = (call.workspace_path()?, call.page()?);
    let found = app.read(|s| {
        let workspace = workspace_of(s, &path.group, &path.workspace)?;
        Ok(s.file_servers(workspace.meta.uid, page)?)
    })?;
    let (found, next) = call.cut(found, |f| f.meta.uid)?;
    Ok(list_reply(found.iter().map(wire::file_server).collect(), next))
}

/// FileServers_Create.
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (path, name) = (call.workspace_path()?, call.name("fileServerName")?);
    let wish = wire::file_server_create(&call.body)?;
    super::clusters::check_vm_size(app, &wish.vm_size)?;
    let now = app.now();
    let made = app.write(move |tx| {
        let workspace = standing_workspace(tx, &path.group, &path.workspace)?;
        let found = tx.file_server(workspace.meta.uid, &name)?;
        call.preconditions()
            .check(etag(found.as_ref().map(|f| &f.meta)).as_deref())?;
        if let Some(found) = found {
            standing(Kind::FileServer, &found.meta.name, found.meta.provisioning)?;
            if tx.file_server_secrets(&found)? != wish {
                return Err(ApiError::AlreadyExists {
                    kind: Kind::FileServer,
                    name: name.to_string(),
                });
            }
            return Ok(found);
        }
        let address = "127.0.0.1".to_owned();
        let mounts = MountSettings {
            mount_point: MOUNT_POINT.to_owned(),
            public_ip: address.clone(),
            internal_ip: address,
        };
        let made = tx.insert_file_server(&workspace, &name, &wish, &mounts, now)?;
        tx.insert_event(&call.event(now, id_of(&made), None))?;
        Ok(made)
    });
    Ok(reply(&made.await?))
}

/// FileServers_Delete.
pub async fn delete(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (path, name) = (call.workspace_path()?, call.name("fileServerName")?);
    let (now, links) = (app.now(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let found = absent_is_none(find(tx, &path, &name))?;
        call.preconditions()
            .check(etag(found.as_ref().map(|f| &f.meta)).as_deref())?;
        let Some(found) = found else {
            return Ok(Outcome::Absent);
        };
        tx.insert_event(&call.event(now, id_of(&found), None))?;
        tx.remove_file_server(found.meta.uid)?;
        Ok(Outcome::Done)
    });
    Ok(app.outcome(&links, outcome.await?))
}

fn id_of(server: &FileServer) -> String {
    file_server_id(&server.scope, &server.workspace, &server.meta.name)
}
