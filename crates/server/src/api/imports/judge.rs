//! Whether an item is there already, and the same.

use trainyard_domain::secret::Secret;
use trainyard_domain::spec::Secrets;
use trainyard_domain::state::{Job, JobPhase, Workspace};
use trainyard_store::Snapshot;

use super::item::{Item, PastJob, Place, Thing};
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
    let Some(workspace) = workspace_at(s, &item.place)? else {
        return Ok(Judgement::New);
    };
    if workspace.region != item.place.region {
        return Ok(Judgement::Conflict(format!(
            "the workspace {} is there in the region {}, not {}",
            workspace.meta.name, workspace.region, item.place.region
        )));
    }
    match &item.thing {
        Thing::Workspace(_) => same(s, workspace.meta.uid),
        Thing::Experiment(name) => match s.experiment(workspace.meta.uid, name)? {
            Some(found) => {
                standing(Kind::Experiment, name, found.meta.provisioning)?;
                same(s, found.meta.uid)
            }
            None => Ok(Judgement::New),
        },
        Thing::FileServer(resource) => {
            let Some(found) = s.file_server(workspace.meta.uid, &resource.name)? else {
                return Ok(Judgement::New);
            };
            standing(Kind::FileServer, &resource.name, found.meta.provisioning)?;
            if bare(&found.spec) == bare(&resource.wish) {
                return same(s, found.meta.uid);
            }
            Ok(other("file server"))
        }
        Thing::Cluster(resource) => {
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
        Thing::Job(experiment, resource, past) => {
            let Some(experiment) = s.experiment(workspace.meta.uid, experiment)? else {
                return Ok(Judgement::New);
            };
            standing(
                Kind::Experiment,
                &experiment.meta.name,
                experiment.meta.provisioning,
            )?;
            let Some(found) = s.job(experiment.meta.uid, &resource.name)? else {
                return Ok(Judgement::New);
            };
            standing(Kind::Job, &resource.name, found.meta.provisioning)?;
            if bare(&found.spec) == bare(&resource.wish) && ended_so(&found, past) {
                return same(s, found.meta.uid);
            }
            Ok(other("job"))
        }
    }
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

fn same(s: &Snapshot<'_>, uid: trainyard_domain::ids::Uid) -> Result<Judgement, ApiError> {
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
