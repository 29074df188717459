//! File servers (api.md section 3). One is a folder of this machine, made before its record is: it stands with
//! the commit.

use std::sync::Arc;

use jiff::Timestamp;
use tracing::info;
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{Name, Region};
use trainyard_domain::resource_id::{ResourceId, file_server_id, workspace_id};
use trainyard_domain::spec::FileServerSpec;
use trainyard_domain::state::{BatchAiError, FileServer, MountSettings, Provisioning, Workspace};
use trainyard_storage::FolderName;
use trainyard_store::{NewFileServer, Operation, Snapshot, Tx};
use trainyard_wire::{ApiVersion, Wish as Asked};
use uuid::Uuid;

use super::place::{Place, free_in_other_regions, operation_names};
use super::{CallLinks, Outcome, absent_is_none, etag, flat_list};
use crate::App;
use crate::access::Caller;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::lro;
use crate::ops::Access;

/// Export path of a file server (behaviour.md section 3).
const MOUNT_POINT: &str = "/data";
/// Code of the operation of one whose disks cannot be had (errors.md).
const FAILED: &str = "FileServerProvisioningFailed";
/// Most of those who mount a file server that are counted for the message.
const USERS_COUNTED: u32 = 1_000;

/// How to reach a file server that nobody exports: it is this machine.
pub(super) fn mount_settings() -> MountSettings {
    let address = "127.0.0.1".to_owned();
    MountSettings {
        mount_point: MOUNT_POINT.to_owned(),
        public_ip: address.clone(),
        internal_ip: address,
    }
}

fn reply(app: &App, version: ApiVersion, server: FileServer) -> Reply {
    let server = app.as_reached(server);
    Reply::resource(&server.meta, version.file_server(&server))
}

fn find(s: &Snapshot<'_>, place: &Place, name: &Name) -> Result<FileServer, ApiError> {
    place.find(s, (Kind::FileServer, name), |workspace| {
        Ok(s.file_server(workspace.meta.uid, name)?)
    })
}

/// FileServers_Get.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.place()?, call.name("fileServerName")?);
    Ok(reply(app, call.version, app.read(|s| find(s, &place, &name))?))
}

/// FileServers_ListByWorkspace, FileServers_ListByResourceGroup and FileServers_List.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let page = call.page()?;
    let found = app.read(|s| {
        let list = |workspace: &Workspace| Ok(s.file_servers(workspace.meta.uid, page)?);
        call.list_in_workspaces(s, page, list, |server| server.meta.uid)
    })?;
    let (found, next) = call.cut(found, |f| f.meta.uid)?;
    let written = found
        .into_iter()
        .map(|server| call.version.file_server(&app.as_reached(server)))
        .collect();
    flat_list(call, written, next)
}

/// What came of a PUT.
enum Put {
    /// It is there as wished, and was before.
    Found(FileServer),
    /// It is there as wished, in the folder that was made for it.
    Made(FileServer),
    /// It is there and has failed.
    Failed(Operation),
}

/// What a PUT needs inside its transaction.
struct Wish {
    place: Place,
    /// The region that a flat body names.
    region: Option<Region>,
    name: Name,
    spec: FileServerSpec,
    /// Whether its disks can be had.
    possible: bool,
    /// The folder made for it; none where it was there already, or cannot be.
    folder: Option<FolderName>,
    /// In the name of its subnet.
    id: Uuid,
    /// Of the operation, where there is one.
    operation: Uuid,
}

/// FileServers_Create. Disks that the VM size cannot have are not refused: the record is made, and its
/// operation has failed (behaviour.md section 3).
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.place()?, call.name("fileServerName")?);
    let Asked { spec, region } = call.version.file_server_create(&call.body)?;
    let premium = super::clusters::vm_size(app, &spec.vm_size)?.premium_storage;
    spec.check_caching(premium)
        .map_err(|invalid| invalid.within("properties"))?;
    let possible = spec.has_possible_disks(premium);
    let (now, id, operation) = (app.now(), app.ports.random.uuid(), app.ports.random.uuid());
    let known = app.read(|s| absent_is_none(find(s, &place, &name)))?.is_some();
    let folder = (possible && !known).then(|| make_folder(app, id)).transpose()?;
    let (links, version) = (CallLinks::of(&call), call.version);
    let wish = Wish {
        place,
        region,
        name,
        spec,
        possible,
        folder: folder.clone(),
        id,
        operation,
    };
    let put = app.write(move |tx| put(tx, &call, &wish, now)).await;
    if let Some(folder) = &folder {
        match &put {
            Ok(Put::Made(made)) => {
                let path = app.ports.file_servers.path(folder);
                info!(file_server = id_of(made), folder = %path.display(), "a file server is made");
                app.look_after_exports();
            }
            Ok(Put::Found(_) | Put::Failed(_)) | Err(_) => app.ports.file_servers.unmake(folder),
        }
    }
    Ok(match put? {
        Put::Found(server) | Put::Made(server) => reply(app, version, server),
        Put::Failed(operation) => links.accepted(&operation),
    })
}

/// A folder of its own, before anything is stored: nothing else may wait for the disk.
pub(super) fn make_folder(app: &App, id: Uuid) -> Result<FolderName, ApiError> {
    let name = FolderName::new(&id.to_string()).map_err(|e| ApiError::Internal(Box::new(e)))?;
    app.ports
        .file_servers
        .make(&name)
        .map_err(ApiError::FileServerFolder)?;
    Ok(name)
}

fn put(tx: &Tx<'_>, call: &Call, wish: &Wish, now: Timestamp) -> Result<Put, ApiError> {
    let name = &wish.name;
    let workspace = wish.place.standing(tx, call, wish.region.as_ref(), now)?;
    let found = tx.file_server(workspace.meta.uid, name)?;
    call.preconditions()
        .check(etag(found.as_ref().map(|f| &f.meta)).as_deref())?;
    if let Some(found) = found {
        let spec = call.version.file_server_beside(wish.spec.clone(), &found.spec);
        if tx.file_server_secrets(&found)? != spec {
            return Err(ApiError::AlreadyExists {
                kind: Kind::FileServer,
                name: name.to_string(),
            });
        }
        return outcome(tx, call, &workspace, found, wish, now, Put::Found);
    }
    free_in_other_regions(tx, &workspace, (Kind::FileServer, name), |other| {
        Ok(tx.file_server(other.meta.uid, name)?.is_some())
    })?;
    if wish.possible && wish.folder.is_none() {
        // It was there a moment ago, when it was looked for.
        return Err(ApiError::BeingDeleted {
            kind: Kind::FileServer,
            name: name.to_string(),
        });
    }
    let folder = wish.folder.as_ref().map(|folder| folder.as_str().to_owned());
    let new = NewFileServer {
        workspace: &workspace,
        name,
        spec: &wish.spec,
        made_subnet: ResourceId::made_subnet(&workspace.scope.subscription, wish.id),
        made: folder.clone().map(|folder| (folder, mount_settings())),
    };
    let made = tx.insert_file_server(new, now)?;
    let detail = folder.map_or_else(|| FAILED.to_owned(), |folder| format!("folder {folder}"));
    tx.insert_event(&call.event(now, id_of(&made), Some(detail)))?;
    outcome(tx, call, &workspace, made, wish, now, Put::Made)
}

/// The file server itself where it stands, else a failed operation.
fn outcome(
    tx: &Tx<'_>,
    call: &Call,
    workspace: &Workspace,
    server: FileServer,
    wish: &Wish,
    now: Timestamp,
    stands: fn(FileServer) -> Put,
) -> Result<Put, ApiError> {
    if server.meta.provisioning != Provisioning::Failed {
        return Ok(stands(server));
    }
    let names = [&server.workspace, &server.meta.name];
    let subject = lro::Subject {
        scope: &server.scope,
        names: operation_names(call.version, &names),
        region: &workspace.region,
        uid: server.meta.uid,
    };
    let error = BatchAiError::new(FAILED, "File Server provisioning has failed");
    Ok(Put::Failed(lro::failed(
        tx,
        wish.operation,
        &subject,
        &error,
        now,
    )?))
}

/// FileServers_Delete: refused while a cluster, or a job that is not over, mounts it.
pub async fn delete(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let (place, name) = (call.place()?, call.name("fileServerName")?);
    let (now, links) = (app.now(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let found = absent_is_none(find(tx, &place, &name))?;
        call.preconditions()
            .check(etag(found.as_ref().map(|f| &f.meta)).as_deref())?;
        let Some(found) = found else {
            return Ok(Outcome::Absent);
        };
        refuse_if_mounted(tx, &call.caller, &found)?;
        tx.insert_event(&call.event(now, id_of(&found), None))?;
        tx.remove_file_server(found.meta.uid)?;
        Ok(Outcome::Done)
    });
    Ok(app.outcome(&links, outcome.await?))
}

fn refuse_if_mounted(tx: &Tx<'_>, caller: &Caller, found: &FileServer) -> Result<(), ApiError> {
    let users = tx.file_server_users(found.meta.uid, USERS_COUNTED)?;
    if users.is_empty() {
        return Ok(());
    }
    let mut by = None;
    for user in &users {
        by = user_as_seen(tx, caller, *user)?;
        if by.is_some() {
            break;
        }
    }
    Err(ApiError::FileServerInUse {
        name: found.meta.name.to_string(),
        by: by.unwrap_or_else(|| "a cluster or job of a workspace that you may not read".to_owned()),
        more: users.len() - 1,
    })
}

/// A cluster or job in words, where the caller may read of it.
fn user_as_seen(tx: &Tx<'_>, caller: &Caller, uid: Uid) -> Result<Option<String>, ApiError> {
    let (scope, workspace, words) = if let Some(cluster) = tx.cluster_by_uid(uid)? {
        let words = format!("the cluster {}", cluster.meta.name);
        (cluster.scope, cluster.workspace, words)
    } else if let Some(job) = tx.job_by_uid(uid)? {
        let words = format!("the job {} of the experiment {}", job.meta.name, job.experiment);
        (job.scope, job.workspace, words)
    } else {
        return Ok(None);
    };
    let place = workspace_id(&scope, &workspace);
    let seen = caller.may(Access::Read, &place.to_ascii_lowercase());
    Ok(seen.then(|| format!("{words} in the workspace {workspace}")))
}

fn id_of(server: &FileServer) -> String {
    file_server_id(&server.scope, &server.workspace, &server.meta.name)
}
