//! Making what is not there yet, with a note of which import made it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{self, STDOUTERR};
use trainyard_domain::name::{Name, SubscriptionId};
use trainyard_domain::resource_id::{
    ResourceId, cluster_id, experiment_id, file_server_id, job_id, workspace_id,
};
use trainyard_domain::spec::{ClusterSpec, FileServerSpec, JobSpec, MountVolumes};
use trainyard_domain::state::{Cluster, ClusterStatus, Experiment, FileServer, Group, JobPhase, JobStatus};
use trainyard_domain::state::{OutputPlace, Provisioning, Tags, Workspace};
use trainyard_storage::FolderName;
use trainyard_store::{Imported, ImportedKind, NewCluster, NewFileServer, NewJob, Tx};
use uuid::Uuid;

use super::Outcome;
use super::item::{Item, PastJob, Place, Resource, Thing};
use crate::App;
use crate::api::mounts::User;
use crate::api::{absent_is_none, clusters, file_servers, standing_workspace};
use crate::arm_error::ApiError;
use crate::http::Call;
use crate::ops::Access;

/// The cluster of a job whose cluster is not here: no cluster has this uid.
const NO_CLUSTER: Uid = Uid(0);

/// What is asked of a cluster and a file server beyond their wish.
pub fn check_possible(app: &App, item: &Item) -> Result<(), ApiError> {
    match &item.thing {
        Thing::Cluster(resource) => clusters::vm_size(app, &resource.wish.vm_size).map(|_| ()),
        Thing::FileServer(resource) => {
            let premium = clusters::vm_size(app, &resource.wish.vm_size)?.premium_storage;
            resource.wish.check_caching(premium)?;
            if resource.wish.has_possible_disks(premium) {
                return Ok(());
            }
            let message = "The VM size cannot have disks of this kind, so it had failed.";
            Err(ApiError::invalid("dataDisks.storageAccountType", message))
        }
        Thing::Workspace(_) | Thing::Experiment(_) | Thing::Job(..) => Ok(()),
    }
}

/// What the making of a batch needs.
pub struct Maker<'a> {
    /// The service.
    pub app: &'a App,
    /// The transaction.
    pub tx: &'a Tx<'a>,
    /// The call.
    pub call: &'a Call,
    /// The import.
    pub import: &'a str,
    /// The time.
    pub now: Timestamp,
    /// Folders for file servers that were not used yet.
    pub folders: Vec<FolderName>,
}

impl Maker<'_> {
    /// Makes an item that is not there, and its parents where they are not. `random` is its own.
    pub fn make(&mut self, item: Item, random: Uuid) -> Result<Outcome, ApiError> {
        let mut notes = item.thing.missing();
        match item.thing {
            Thing::Workspace(tags) => {
                self.workspace(&item.place, &tags)?;
            }
            Thing::Experiment(name) => {
                let workspace = self.workspace(&item.place, &Tags::new())?;
                self.experiment(&workspace, &name)?;
            }
            Thing::FileServer(resource) => self.file_server(&item.place, &resource, random)?,
            Thing::Cluster(resource) => self.cluster(&item.place, &resource, random, &mut notes)?,
            Thing::Job(experiment, resource, past) => {
                self.job(&item.place, &experiment, &resource, *past, &mut notes)?;
            }
        }
        Ok(Outcome::Made(notes))
    }

    /// A thing is made: whose it is, and the trail, with `more` in its line.
    fn made(&self, kind: ImportedKind, uid: Uid, id: String, more: &str) -> Result<(), ApiError> {
        self.tx.insert_imported(self.import, Imported { kind, uid })?;
        let detail = format!("import {}{more}", self.import);
        Ok(self
            .tx
            .insert_event(&self.call.event(self.now, id, Some(detail)))?)
    }

    /// As [`Maker::made`], for a thing with a past.
    fn made_of<T>(
        &self,
        kind: ImportedKind,
        uid: Uid,
        id: String,
        resource: &Resource<T>,
        more: &str,
    ) -> Result<(), ApiError> {
        let created = resource.life.created.unwrap_or(self.now);
        let since = resource.life.since.unwrap_or(created);
        self.tx
            .set_imported_times(Imported { kind, uid }, created, since)?;
        self.made(kind, uid, id, more)
    }

    fn group(&self, place: &Place) -> Result<Group, ApiError> {
        let path = &place.group;
        if let Some(found) = self.tx.group(&path.subscription, &path.group)? {
            return Ok(found);
        }
        let scope = path.to_string().to_ascii_lowercase();
        self.call
            .caller
            .check(Access::Write, &scope, self.call.operation.action)?;
        let made = self
            .tx
            .insert_group(path, &place.region, &Tags::new(), self.now)?;
        self.made(ImportedKind::Group, made.uid, made.path.to_string(), "")?;
        Ok(made)
    }

    fn workspace(&self, place: &Place, tags: &Tags) -> Result<Workspace, ApiError> {
        let group = self.group(place)?;
        if let Some(found) = self.tx.workspace(group.uid, &place.workspace)? {
            return Ok(found);
        }
        let made = self
            .tx
            .insert_workspace(&group, &place.workspace, &place.region, tags, self.now)?;
        let id = workspace_id(&made.scope, &made.meta.name);
        self.made(ImportedKind::Workspace, made.meta.uid, id, "")?;
        Ok(made)
    }

    fn experiment(&self, workspace: &Workspace, name: &Name) -> Result<Experiment, ApiError> {
        if let Some(found) = self.tx.experiment(workspace.meta.uid, name)? {
            return Ok(found);
        }
        let made = self.tx.insert_experiment(workspace, name, self.now)?;
        let id = experiment_id(&made.scope, &made.workspace, &made.meta.name);
        self.made(ImportedKind::Experiment, made.meta.uid, id, "")?;
        Ok(made)
    }

    fn file_server(
        &mut self,
        place: &Place,
        resource: &Resource<FileServerSpec>,
        random: Uuid,
    ) -> Result<(), ApiError> {
        let folder = self
            .folders
            .pop()
            .ok_or_else(|| ApiError::invalid("name", "It went away a moment ago. Run the import again."))?;
        let workspace = self.workspace(place, &Tags::new())?;
        let new = NewFileServer {
            workspace: &workspace,
            name: &resource.name,
            spec: &resource.wish,
            made_subnet: ResourceId::made_subnet(&workspace.scope.subscription, random),
            made: Some((folder.as_str().to_owned(), file_servers::mount_settings())),
        };
        let made = self.tx.insert_file_server(new, self.now)?;
        let id = file_server_id(&made.scope, &made.workspace, &made.meta.name);
        let more = format!(", folder {}", folder.as_str());
        self.made_of(ImportedKind::FileServer, made.meta.uid, id, resource, &more)
    }

    fn cluster(
        &self,
        place: &Place,
        resource: &Resource<ClusterSpec>,
        random: Uuid,
        notes: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let mounts = volumes(&resource.wish);
        let subscription = &place.group.subscription;
        let servers = self.file_servers_of(subscription, mounts, notes)?;
        clusters::check_quota(self.tx, subscription, &place.region, &self.app.settings.quotas)?;
        let workspace = self.workspace(place, &Tags::new())?;
        let folder = clusters::setup_folder(resource.version, &workspace, &resource.name, random);
        let status = ClusterStatus {
            subnet: servers.first().and_then(FileServer::subnet).cloned(),
            ..clusters::first_status(&resource.wish, folder, self.now)
        };
        let new = NewCluster {
            workspace: &workspace,
            name: &resource.name,
            spec: &resource.wish,
            status,
        };
        let made = self.tx.insert_cluster(new, self.now)?;
        let servers: Vec<Uid> = servers.iter().map(|server| server.meta.uid).collect();
        self.tx.insert_mounts(made.meta.uid, &servers)?;
        let id = cluster_id(&made.scope, &made.workspace, &made.meta.name);
        self.made_of(ImportedKind::Cluster, made.meta.uid, id, resource, "")
    }

    /// The file servers of a cluster. All of them have to be here.
    fn file_servers_of(
        &self,
        subscription: &SubscriptionId,
        mounts: Option<&MountVolumes>,
        notes: &mut Vec<String>,
    ) -> Result<Vec<FileServer>, ApiError> {
        let entries = mounts.map_or(&[][..], |mounts| &mounts.file_servers);
        let at = |i: usize| format!("nodeSetup.mountVolumes.fileServers[{i}].fileServer.id");
        let user = User {
            caller: &self.call.caller,
            action: self.call.operation.action,
            subscription,
        };
        let mut found = Vec::new();
        for (i, entry) in entries.iter().enumerate() {
            let server = user.file_server(self.tx, entry, &at(i))?;
            notes.push(format!(
                "the folder of the file server {} is empty: copy its files into it",
                server.meta.name
            ));
            found.push(server);
        }
        Ok(found)
    }

    fn job(
        &self,
        place: &Place,
        experiment: &Name,
        resource: &Resource<JobSpec>,
        past: PastJob,
        notes: &mut Vec<String>,
    ) -> Result<(), ApiError> {
        let cluster = self.cluster_of(&resource.wish)?;
        let mounts = cluster.as_ref().and_then(|cluster| volumes(&cluster.spec));
        let outputs = launch::outputs(&resource.wish, mounts, &past.segment, past.layout);
        if !outputs.contains_key(STDOUTERR) {
            notes.push(match cluster {
                Some(_) => "its stdout is on no share or container, so it cannot be listed".to_owned(),
                None => "its cluster is not here, so its stdout cannot be listed".to_owned(),
            });
        }
        let workspace = self.workspace(place, &Tags::new())?;
        let experiment = self.experiment(&workspace, experiment)?;
        let new = NewJob {
            experiment: &experiment,
            name: &resource.name,
            cluster: cluster.map_or(NO_CLUSTER, |cluster| cluster.meta.uid),
            spec: &resource.wish,
            status: self.status(resource, past, outputs),
        };
        let made = self.tx.insert_job(new, self.now)?;
        let id = job_id(&made.scope, &made.workspace, &made.experiment, &made.meta.name);
        self.made_of(ImportedKind::Job, made.meta.uid, id, resource, "")
    }

    /// The cluster that a job ran on, if it is here. Who may not use it may not see through its mounts either, nor
    /// learn that it is here.
    fn cluster_of(&self, wish: &JobSpec) -> Result<Option<Cluster>, ApiError> {
        let Some(path) = wish.cluster.cluster() else {
            return Ok(None);
        };
        let scope = workspace_id(&path.scope, &path.workspace).to_ascii_lowercase();
        if !self.call.caller.may(Access::Write, &scope) {
            return Ok(None);
        }
        let found = standing_workspace(self.tx, &path.scope, &path.workspace);
        let Some(workspace) = absent_is_none(found)? else {
            return Ok(None);
        };
        let Some(cluster) = self.tx.cluster(workspace.meta.uid, &path.name)? else {
            return Ok(None);
        };
        Ok((cluster.meta.provisioning == Provisioning::Succeeded).then_some(cluster))
    }

    fn status(
        &self,
        resource: &Resource<JobSpec>,
        past: PastJob,
        outputs: BTreeMap<String, OutputPlace>,
    ) -> JobStatus {
        let ended = past.end.execution.as_ref().and_then(|info| info.end);
        let since = past.end.since.or(ended).or(resource.life.created);
        JobStatus {
            phase: if past.end.succeeded {
                JobPhase::Succeeded
            } else {
                JobPhase::Failed
            },
            execution: past.end.execution,
            layout: past.layout,
            ..JobStatus::new(past.segment, outputs, since.unwrap_or(self.now))
        }
    }
}

fn volumes(wish: &ClusterSpec) -> Option<&MountVolumes> {
    wish.node_setup.as_ref()?.mount_volumes.as_ref()
}
