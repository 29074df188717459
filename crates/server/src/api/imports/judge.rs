//! Whether an item is there already, and the same.

use trainyard_domain::ids::Uid;
use trainyard_domain::migrated;
use trainyard_domain::name::Name;
use trainyard_domain::secret::Secret;
use trainyard_domain::spec::{ClusterSpec, FileServerSpec, JobSpec, Secrets};
use trainyard_domain::state::{Job, JobPhase, Workspace};
use trainyard_store::Snapshot;

use super::item::{Item, PastJob, Place, Resource, Thing};
use crate::api::standing;
use crate::arm_error::{ApiError, Kind};

/// What is there of an item.
pub enum Judgement {
    /// Nothing.
    New,
    /// The same.
    Same {
        /// The import that made it, if one did.
        by: Option<String>,
    },
    /// Something else, in words.
    Conflict(String),
}

/// Looks an item up. Nothing can be put into what is being deleted.
pub fn judge(s: &Snapshot<'_>, item: &Item) -> Result<Judgement, ApiError> {
    let workspace = workspace_at(s, &item.place)?;
    if let Some(workspace) = &workspace {
        if workspace.region != item.place.region {
            return Ok(Judgement::Conflict(format!(
                "the workspace {} is there in the region {}, not {}",
                workspace.meta.name, workspace.region, item.place.region
            )));
        }
        let there = match &item.thing {
            Thing::Workspace(_) => same(s, workspace.meta.uid)?,
            Thing::Experiment(name) => of_experiment(s, workspace, name)?,
            Thing::FileServer(resource) => of_file_server(s, workspace, resource)?,
            Thing::Cluster(resource) => of_cluster(s, workspace, resource)?,
            Thing::Job(experiment, resource, past) => of_job(s, workspace, experiment, resource, past)?,
        };
        if !matches!(there, Judgement::New) {
            return Ok(there);
        }
    }
    of_other_regions(s, item, workspace.map(|workspace| workspace.meta.uid))
}

fn of_experiment(s: &Snapshot<'_>, workspace: &Workspace, name: &Name) -> Result<Judgement, ApiError> {
    let Some(found) = s.experiment(workspace.meta.uid, name)? else {
        return Ok(Judgement::New);
    };
    standing(Kind::Experiment, name, found.meta.provisioning)?;
    same(s, found.meta.uid)
}

fn of_file_server(
    s: &Snapshot<'_>,
    workspace: &Workspace,
    resource: &Resource<FileServerSpec>,
) -> Result<Judgement, ApiError> {
    let Some(found) = s.file_server(workspace.meta.uid, &resource.name)? else {
        return Ok(Judgement::New);
    };
    standing(Kind::FileServer, &resource.name, found.meta.provisioning)?;
    if bare(&found.spec) == bare(&resource.wish) {
        return same(s, found.meta.uid);
    }
    Ok(other("file server"))
}

fn of_cluster(
    s: &Snapshot<'_>,
    workspace: &Workspace,
    resource: &Resource<ClusterSpec>,
) -> Result<Judgement, ApiError> {
    let Some(found) = s.cluster(workspace.meta.uid, &resource.name)? else {
        return Ok(Judgement::New);
    };
    standing(Kind::Cluster, &resource.name, found.meta.provisioning)?;
    // A cluster that was resized meanwhile is the same cluster.
    let mut there = bare(&found.spec);
    there.scale = resource.wish.scale.clone();
    if there == bare(&resource.wish) {
        return same(s, found.meta.uid);
    }
    Ok(other("cluster"))
}

fn of_job(
    s: &Snapshot<'_>,
    workspace: &Workspace,
    experiment: &Name,
    resource: &Resource<JobSpec>,
    past: &PastJob,
) -> Result<Judgement, ApiError> {
    let Some(experiment) = s.experiment(workspace.meta.uid, experiment)? else {
        return Ok(Judgement::New);
    };
    let meta = &experiment.meta;
    standing(Kind::Experiment, &meta.name, meta.provisioning)?;
    let Some(found) = s.job(meta.uid, &resource.name)? else {
        return Ok(Judgement::New);
    };
    standing(Kind::Job, &resource.name, found.meta.provisioning)?;
    if bare(&found.spec) == bare(&resource.wish) && ended_so(&found, past) {
        return same(s, found.meta.uid);
    }
    Ok(other("job"))
}

/// The flat api-versions know one name space for each group and kind, so a name must be free in all migrated workspaces.
fn of_other_regions(s: &Snapshot<'_>, item: &Item, own: Option<Uid>) -> Result<Judgement, ApiError> {
    let Place {
        group,
        workspace,
        region,
    } = &item.place;
    let found = s.group(&group.subscription, &group.group)?;
    let Some(found) = found.filter(|_| migrated::region_of(workspace).as_ref() == Some(region)) else {
        return Ok(Judgement::New);
    };
    for other in s.migrated_workspaces(&group.subscription, Some(found.uid))? {
        let uid = other.meta.uid;
        if Some(uid) == own {
            continue;
        }
        let taken = match &item.thing {
            Thing::Workspace(_) | Thing::Experiment(_) => false,
            Thing::FileServer(resource) => s.file_server(uid, &resource.name)?.is_some(),
            Thing::Cluster(resource) => s.cluster(uid, &resource.name)?.is_some(),
            // Jobs of other experiments are not seen by them.
            Thing::Job(experiment, ..) if !migrated::is_experiment(experiment) => false,
            Thing::Job(experiment, resource, _) => match s.experiment(uid, experiment)? {
                Some(experiment) => s.job(experiment.meta.uid, &resource.name)?.is_some(),
                None => false,
            },
        };
        if taken {
            return Ok(Judgement::Conflict(format!(
                "there is one of this name in the region {}, and the older api-versions know one in a group",
                other.region
            )));
        }
    }
    Ok(Judgement::New)
}

/// The workspace, if it is there and stands.
pub fn workspace_at(s: &Snapshot<'_>, place: &Place) -> Result<Option<Workspace>, ApiError> {
    let Some(group) = s.group(&place.group.subscription, &place.group.group)? else {
        return Ok(None);
    };
    standing(Kind::Group, &group.path.group, group.provisioning)?;
    let Some(workspace) = s.workspace(group.uid, &place.workspace)? else {
        return Ok(None);
    };
    standing(Kind::Workspace, &workspace.meta.name, workspace.meta.provisioning)?;
    Ok(Some(workspace))
}

fn same(s: &Snapshot<'_>, uid: Uid) -> Result<Judgement, ApiError> {
    Ok(Judgement::Same {
        by: s.import_of(uid)?,
    })
}

fn other(kind: &str) -> Judgement {
    Judgement::Conflict(format!("a {kind} of this name is there and is another one"))
}

/// A wish without its secrets: an export has none.
fn bare<T: Secrets + Clone>(wish: &T) -> T {
    let mut wish = wish.clone();
    wish.secrets(&mut |_, secret| *secret = Secret::default());
    wish
}

fn ended_so(found: &Job, past: &PastJob) -> bool {
    let succeeded = match found.status.phase {
        JobPhase::Succeeded => true,
        JobPhase::Failed => false,
        JobPhase::Queued | JobPhase::Running | JobPhase::Stopping(_) => return false,
    };
    succeeded == past.end.succeeded && found.status.execution == past.end.execution
}
