//! Taking away what an import made, and nothing else: page by page, in the order jobs, clusters, file servers,
//! experiments, workspaces, groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use trainyard_domain::ids::Uid;
use trainyard_domain::resource_id::{cluster_id, experiment_id, file_server_id, job_id, workspace_id};
use trainyard_domain::state::{FileServer, Meta, Provisioning};
use trainyard_storage::FolderName;
use trainyard_store::{Imported, ImportedKind, Page, Tx};

use super::import_id;
use crate::App;
use crate::arm_error::ApiError;
use crate::http::{Call, Reply};
use crate::ops::Access;
use crate::reconcile;

/// Things of one page.
const PAGE: u32 = 100;

/// What becomes of a thing.
enum Fate {
    /// It is gone, or on its way.
    Removed(String),
    /// It stays, and why.
    Stays(String, &'static str),
    /// It went away meanwhile.
    Absent,
}

/// Imports_Undo: takes away one page of what an import made; `next` in the answer goes into `after` of the call for
/// the next page.
pub async fn undo(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let import = import_id(call.parameters.get("importId"), "importId")?;
    let after = call.query.get("after").map(cursor).transpose()?;
    let now = app.now();
    let page = app.read(|s| Ok(s.imported(&import, after, PAGE)?))?;
    let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
    let next = page.last().copied().filter(|_| full);
    let filled = filled_folders(app, &page)?;
    let fates = app.write(move |tx| {
        let undoing = Undoing {
            tx,
            call: &call,
            import: &import,
            now,
            filled: &filled,
        };
        page.iter()
            .map(|thing| undoing.one(*thing))
            .collect::<Result<Vec<_>, ApiError>>()
    });
    let (mut removed, mut left) = (Vec::new(), Vec::new());
    for fate in fates.await? {
        match fate {
            Fate::Removed(id) => removed.push(Value::String(id)),
            Fate::Stays(id, reason) => left.push(json!({"id": id, "reason": reason})),
            Fate::Absent => {}
        }
    }
    let mut shown = json!({"removed": removed, "left": left});
    if let Some(next) = next {
        shown["next"] = format!("{}.{}", next.kind.rank(), next.uid).into();
    }
    Ok(Reply::ok(shown))
}

fn cursor(text: &str) -> Result<Imported, ApiError> {
    let parts = text.split_once('.').and_then(|(rank, uid)| {
        Some(Imported {
            kind: ImportedKind::of_rank(rank.parse().ok()?)?,
            uid: Uid(uid.parse().ok()?),
        })
    });
    parts.ok_or_else(|| ApiError::invalid("after", "This is no page of an undo. Send next as it was given."))
}

/// The file servers of a page whose folders somebody has put files into.
fn filled_folders(app: &App, page: &[Imported]) -> Result<BTreeSet<Uid>, ApiError> {
    let servers = page.iter().filter(|thing| thing.kind == ImportedKind::FileServer);
    let mut filled = BTreeSet::new();
    for thing in servers {
        let server = app.read(|s| Ok(s.file_server_by_uid(thing.uid)?))?;
        if server.is_some_and(|server| !is_empty(app, &server)) {
            filled.insert(thing.uid);
        }
    }
    Ok(filled)
}

/// What cannot be looked into is not empty; what is not there holds nothing.
fn is_empty(app: &App, server: &FileServer) -> bool {
    let Some(folder) = server
        .folder
        .as_deref()
        .and_then(|name| FolderName::new(name).ok())
    else {
        return true;
    };
    match std::fs::read_dir(app.ports.file_servers.path(&folder)) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

struct Undoing<'a> {
    tx: &'a Tx<'a>,
    call: &'a Call,
    import: &'a str,
    now: Timestamp,
    filled: &'a BTreeSet<Uid>,
}

impl Undoing<'_> {
    fn one(&self, thing: Imported) -> Result<Fate, ApiError> {
        match thing.kind {
            ImportedKind::Job => self.job(thing.uid),
            ImportedKind::Cluster => self.cluster(thing.uid),
            ImportedKind::FileServer => self.file_server(thing.uid),
            ImportedKind::Experiment => self.experiment(thing.uid),
            ImportedKind::Workspace => self.workspace(thing.uid),
            ImportedKind::Group => self.group(thing.uid),
        }
    }

    fn may(&self, place: &str) -> Result<(), ApiError> {
        let action = self.call.operation.action;
        self.call
            .caller
            .check(Access::Write, &place.to_ascii_lowercase(), action)
    }

    fn removed(&self, id: String) -> Result<Fate, ApiError> {
        let detail = format!("undo of import {}", self.import);
        self.tx
            .insert_event(&self.call.event(self.now, &id, Some(detail)))?;
        Ok(Fate::Removed(id))
    }

    fn gone(&self, uid: Uid, id: String) -> Result<Fate, ApiError> {
        self.tx.close_operations_of_deleted(uid, self.now)?;
        self.removed(id)
    }

    fn job(&self, uid: Uid) -> Result<Fate, ApiError> {
        let Some(mut job) = self.tx.job_by_uid(uid)? else {
            return Ok(Fate::Absent);
        };
        self.may(&workspace_id(&job.scope, &job.workspace))?;
        let id = job_id(&job.scope, &job.workspace, &job.experiment, &job.meta.name);
        if let Some(reason) = changed(&job.meta) {
            return Ok(Fate::Stays(id, reason));
        }
        reconcile::begin_job_deletion(self.tx, &mut job, self.now)?;
        self.removed(id)
    }

    fn cluster(&self, uid: Uid) -> Result<Fate, ApiError> {
        let Some(cluster) = self.tx.cluster_by_uid(uid)? else {
            return Ok(Fate::Absent);
        };
        self.may(&workspace_id(&cluster.scope, &cluster.workspace))?;
        let id = cluster_id(&cluster.scope, &cluster.workspace, &cluster.meta.name);
        if let Some(reason) = changed(&cluster.meta) {
            return Ok(Fate::Stays(id, reason));
        }
        // A job can only have run where there were nodes, and one that has not run is open.
        let used = self.tx.cluster_has_open_jobs(uid)?
            || cluster.status.last_node_number > 0 && self.tx.cluster_has_jobs_of_others(uid, self.import)?;
        if used {
            return Ok(Fate::Stays(id, "it has jobs that the import did not make"));
        }
        if self.tx.nodes_of(uid)?.is_empty() {
            self.tx.remove_cluster(uid)?;
            return self.gone(uid, id);
        }
        self.tx.begin_cluster_deletion(uid, self.now)?;
        self.removed(id)
    }

    fn file_server(&self, uid: Uid) -> Result<Fate, ApiError> {
        let Some(server) = self.tx.file_server_by_uid(uid)? else {
            return Ok(Fate::Absent);
        };
        self.may(&workspace_id(&server.scope, &server.workspace))?;
        let id = file_server_id(&server.scope, &server.workspace, &server.meta.name);
        if self.filled.contains(&uid) {
            return Ok(Fate::Stays(id, "its folder holds files"));
        }
        if !self.tx.file_server_users(uid, 1)?.is_empty() {
            return Ok(Fate::Stays(id, "a cluster or a job mounts it"));
        }
        self.tx.remove_file_server(uid)?;
        self.gone(uid, id)
    }

    fn experiment(&self, uid: Uid) -> Result<Fate, ApiError> {
        let Some(experiment) = self.tx.experiment_by_uid(uid)? else {
            return Ok(Fate::Absent);
        };
        self.may(&workspace_id(&experiment.scope, &experiment.workspace))?;
        let id = experiment_id(&experiment.scope, &experiment.workspace, &experiment.meta.name);
        if self.tx.experiment_has_jobs(uid)? {
            return Ok(Fate::Stays(id, "it has jobs"));
        }
        self.tx.remove_experiment(uid)?;
        self.gone(uid, id)
    }

    fn workspace(&self, uid: Uid) -> Result<Fate, ApiError> {
        let Some(workspace) = self.tx.workspace_by_uid(uid)? else {
            return Ok(Fate::Absent);
        };
        let id = workspace_id(&workspace.scope, &workspace.meta.name);
        self.may(&id)?;
        if workspace.meta.revision > 0 {
            return Ok(Fate::Stays(id, "its tags were changed"));
        }
        if !self.tx.workspace_is_empty(uid)? {
            return Ok(Fate::Stays(id, "it is not empty"));
        }
        self.tx.remove_workspace(uid)?;
        self.gone(uid, id)
    }

    fn group(&self, uid: Uid) -> Result<Fate, ApiError> {
        let Some(group) = self.tx.group_by_uid(uid)? else {
            return Ok(Fate::Absent);
        };
        let id = group.path.to_string();
        self.may(&id)?;
        if !group.tags.is_empty() {
            return Ok(Fate::Stays(id, "its tags were changed"));
        }
        let one = Page {
            after: None,
            limit: 1,
        };
        if !self.tx.workspaces_in_group(uid, one)?.is_empty() {
            return Ok(Fate::Stays(id, "it is not empty"));
        }
        self.tx.remove_group(uid)?;
        self.gone(uid, id)
    }
}

/// Why a resource is no longer what the import made. What is being deleted goes by itself.
fn changed(meta: &Meta) -> Option<&'static str> {
    match meta.provisioning {
        Provisioning::Deleting => Some("it is being deleted already"),
        Provisioning::Succeeded | Provisioning::Failed => {
            (meta.revision > 0).then_some("it was changed since the import")
        }
    }
}
