//! Where a request looks for a resource: in a workspace or experiment, or, in the flat api-versions, in all migrated
//! workspaces of a group at once (behaviour.md section 14).

use jiff::Timestamp;
use trainyard_domain::ids::Uid;
use trainyard_domain::migrated;
use trainyard_domain::name::{Name, Region};
use trainyard_domain::resource_id::{GroupPath, ResourceId, experiment_id, workspace_id};
use trainyard_domain::state::{Experiment, Tags, Workspace};
use trainyard_store::{Page, Snapshot, Tx};
use trainyard_wire::ApiVersion;

use super::{
    ExperimentPath, WorkspacePath, experiment_of, group_of, standing, standing_workspace, workspace_of,
};
use crate::arm_error::{ApiError, Kind};
use crate::http::Call;

/// Where clusters and file servers are looked for.
pub(super) enum Place {
    /// In a workspace.
    Workspace(WorkspacePath),
    /// In the migrated workspaces of a group.
    Flat(GroupPath),
}

/// Where jobs are looked for.
pub(super) enum JobPlace {
    /// In an experiment.
    Experiment(ExperimentPath),
    /// In the experiment `migrated` of each migrated workspace of a group.
    Flat(GroupPath),
}

impl Call {
    /// Where the path looks for a cluster or file server.
    pub(super) fn place(&self) -> Result<Place, ApiError> {
        if self.version.is_flat() {
            Ok(Place::Flat(self.group()?))
        } else {
            Ok(Place::Workspace(self.workspace_path()?))
        }
    }

    /// Where the path looks for a job.
    pub(super) fn job_place(&self) -> Result<JobPlace, ApiError> {
        if self.version.is_flat() {
            Ok(JobPlace::Flat(self.group()?))
        } else {
            Ok(JobPlace::Experiment(self.experiment_path()?))
        }
    }

    /// The migrated workspaces of the group that a flat list names, or of the whole subscription.
    fn listed(&self, s: &Snapshot<'_>) -> Result<Vec<Workspace>, ApiError> {
        let group = self
            .parameters
            .has("resourceGroupName")
            .then(|| self.group())
            .transpose()?;
        let group = group.map(|path| group_of(s, &path)).transpose()?;
        Ok(s.migrated_workspaces(&self.subscription()?, group.map(|group| group.uid))?)
    }

    /// A page of clusters or file servers: of the workspace of the path, or of a flat list.
    pub(super) fn list_in_workspaces<T>(
        &self,
        s: &Snapshot<'_>,
        page: Page,
        list: impl Fn(&Workspace) -> Result<Vec<T>, ApiError>,
        uid: impl Fn(&T) -> Uid,
    ) -> Result<Vec<T>, ApiError> {
        if self.version.is_flat() {
            return merged(page, self.listed(s)?.iter().map(list), uid);
        }
        let path = self.workspace_path()?;
        list(&workspace_of(s, &path.group, &path.workspace)?)
    }

    /// A page of jobs: of the experiment of the path, or of a flat list.
    pub(super) fn list_in_experiments<T>(
        &self,
        s: &Snapshot<'_>,
        page: Page,
        list: impl Fn(&Experiment) -> Result<Vec<T>, ApiError>,
        uid: impl Fn(&T) -> Uid,
    ) -> Result<Vec<T>, ApiError> {
        if self.version.is_flat() {
            let experiments = experiments_of(s, self.listed(s)?)?;
            return merged(page, experiments.iter().map(list), uid);
        }
        list(&experiment_of(s, &self.experiment_path()?)?)
    }
}

/// The first page of several lists, each in the order of uids.
fn merged<T>(
    page: Page,
    lists: impl Iterator<Item = Result<Vec<T>, ApiError>>,
    uid: impl Fn(&T) -> Uid,
) -> Result<Vec<T>, ApiError> {
    let mut all: Vec<T> = lists
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    all.sort_by_key(uid);
    all.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(all)
}

fn experiments_of(s: &Snapshot<'_>, workspaces: Vec<Workspace>) -> Result<Vec<Experiment>, ApiError> {
    let mut found = Vec::new();
    for workspace in workspaces {
        found.extend(s.experiment(workspace.meta.uid, &migrated::experiment())?);
    }
    Ok(found)
}

fn migrated_workspaces(s: &Snapshot<'_>, group: &GroupPath) -> Result<Vec<Workspace>, ApiError> {
    let found = group_of(s, group)?;
    Ok(s.migrated_workspaces(&group.subscription, Some(found.uid))?)
}

fn is_migrated(workspace: &Workspace) -> bool {
    migrated::region_of(&workspace.meta.name).as_ref() == Some(&workspace.region)
}

fn first<P, T>(
    places: &[P],
    look: impl Fn(&P) -> Result<Option<T>, ApiError>,
) -> Result<Option<T>, ApiError> {
    for place in places {
        if let Some(found) = look(place)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

impl Place {
    /// The place of the cluster that an id names, and its name; `None` for other ids.
    pub(super) fn of_cluster(id: &ResourceId) -> Option<(Place, Name)> {
        let nested = id
            .cluster()
            .map(|p| (Place::workspace(p.scope, p.workspace), p.name));
        nested.or_else(|| id.flat_cluster().map(|p| (Place::Flat(p.scope), p.name)))
    }

    /// As [`Place::of_cluster`], of a file server.
    pub(super) fn of_file_server(id: &ResourceId) -> Option<(Place, Name)> {
        let nested = id
            .file_server()
            .map(|p| (Place::workspace(p.scope, p.workspace), p.name));
        nested.or_else(|| id.flat_file_server().map(|p| (Place::Flat(p.scope), p.name)))
    }

    fn workspace(group: GroupPath, workspace: Name) -> Place {
        Place::Workspace(WorkspacePath { group, workspace })
    }

    /// The group.
    pub(super) fn group(&self) -> &GroupPath {
        match self {
            Place::Workspace(path) => &path.group,
            Place::Flat(group) => group,
        }
    }

    /// What a caller needs rights over.
    pub(super) fn scope(&self) -> String {
        let scope = match self {
            Place::Workspace(path) => workspace_id(&path.group, &path.workspace),
            Place::Flat(group) => group.to_string(),
        };
        scope.to_ascii_lowercase()
    }

    /// The resource that `look` finds, or the error that it is not there.
    pub(super) fn find<T>(
        &self,
        s: &Snapshot<'_>,
        (kind, name): (Kind, &Name),
        look: impl Fn(&Workspace) -> Result<Option<T>, ApiError>,
    ) -> Result<T, ApiError> {
        match self {
            Place::Workspace(path) => look(&workspace_of(s, &path.group, &path.workspace)?)?
                .ok_or_else(|| ApiError::not_found(kind, name)),
            Place::Flat(group) => first(&migrated_workspaces(s, group)?, look)?
                .ok_or_else(|| ApiError::no_flat_resource(kind, name, group)),
        }
    }

    /// The workspace into which something is put: it and its group stand. A flat PUT makes it on first use, with the
    /// experiment of its jobs.
    pub(super) fn standing(
        &self,
        tx: &Tx<'_>,
        call: &Call,
        region: Option<&Region>,
        now: Timestamp,
    ) -> Result<Workspace, ApiError> {
        match self {
            Place::Workspace(path) => standing_workspace(tx, &path.group, &path.workspace),
            Place::Flat(group) => migrated_workspace(tx, call, group, region, now),
        }
    }
}

impl JobPlace {
    /// The job that `look` finds, or the error that it is not there.
    pub(super) fn find<T>(
        &self,
        s: &Snapshot<'_>,
        name: &Name,
        look: impl Fn(&Experiment) -> Result<Option<T>, ApiError>,
    ) -> Result<T, ApiError> {
        match self {
            JobPlace::Experiment(path) => {
                look(&experiment_of(s, path)?)?.ok_or_else(|| ApiError::not_found(Kind::Job, name))
            }
            JobPlace::Flat(group) => first(&experiments_of(s, migrated_workspaces(s, group)?)?, look)?
                .ok_or_else(|| ApiError::no_flat_resource(Kind::Job, name, group)),
        }
    }

    /// The experiment into which a job is put, with its workspace: all that is above it stands.
    pub(super) fn standing(
        &self,
        tx: &Tx<'_>,
        call: &Call,
        region: Option<&Region>,
        now: Timestamp,
    ) -> Result<(Workspace, Experiment), ApiError> {
        let (workspace, experiment) = match self {
            JobPlace::Experiment(path) => (
                standing_workspace(tx, &path.group, &path.workspace)?,
                experiment_of(tx, path)?,
            ),
            JobPlace::Flat(group) => {
                let workspace = migrated_workspace(tx, call, group, region, now)?;
                let experiment = migrated_experiment(tx, call, &workspace, now)?;
                (workspace, experiment)
            }
        };
        let meta = &experiment.meta;
        standing(Kind::Experiment, &meta.name, meta.provisioning)?;
        Ok((workspace, experiment))
    }
}

/// The workspace `migrated-<region>` of a group, made if it is not there.
fn migrated_workspace(
    tx: &Tx<'_>,
    call: &Call,
    path: &GroupPath,
    region: Option<&Region>,
    now: Timestamp,
) -> Result<Workspace, ApiError> {
    let region = region.ok_or_else(|| ApiError::invalid("location", "This member is required. Write it."))?;
    let group = group_of(tx, path)?;
    standing(Kind::Group, &group.path.group, group.provisioning)?;
    let name = migrated::workspace(region);
    if let Some(found) = tx.workspace(group.uid, &name)? {
        standing(Kind::Workspace, &name, found.meta.provisioning)?;
        return if found.region == *region {
            Ok(found)
        } else {
            Err(ApiError::WorkspaceElsewhere {
                name: name.to_string(),
                region: found.region.to_string(),
            })
        };
    }
    let made = tx.insert_workspace(&group, &name, region, &Tags::new(), now)?;
    tx.insert_event(&call.event(now, workspace_id(&made.scope, &name), None))?;
    migrated_experiment(tx, call, &made, now)?;
    Ok(made)
}

/// The experiment `migrated` of a migrated workspace, made if it is not there.
fn migrated_experiment(
    tx: &Tx<'_>,
    call: &Call,
    workspace: &Workspace,
    now: Timestamp,
) -> Result<Experiment, ApiError> {
    let name = migrated::experiment();
    if let Some(found) = tx.experiment(workspace.meta.uid, &name)? {
        return Ok(found);
    }
    let made = tx.insert_experiment(workspace, &name, now)?;
    let id = experiment_id(&made.scope, &made.workspace, &name);
    tx.insert_event(&call.event(now, id, None))?;
    Ok(made)
}

/// Refuses a name that another migrated workspace of the group has already, whichever api-version asks: the flat ones
/// know one namespace for each group and kind.
pub(super) fn free_in_other_regions(
    s: &Snapshot<'_>,
    workspace: &Workspace,
    (kind, name): (Kind, &Name),
    look: impl Fn(&Workspace) -> Result<bool, ApiError>,
) -> Result<(), ApiError> {
    if !is_migrated(workspace) {
        return Ok(());
    }
    for other in migrated_workspaces(s, &workspace.scope)? {
        if other.meta.uid != workspace.meta.uid && look(&other)? {
            return Err(ApiError::InOtherRegion {
                kind,
                name: name.to_string(),
                region: other.region.to_string(),
                wanted: workspace.region.to_string(),
                group: workspace.scope.group.to_string(),
            });
        }
    }
    Ok(())
}

/// The names by which an operation knows its resource, from the workspace down: in the flat api-versions the last one
/// alone (api.md section 2).
pub(super) fn operation_names<'a, 'b>(version: ApiVersion, names: &'a [&'b Name]) -> &'a [&'b Name] {
    let skipped = if version.is_flat() {
        names.len().saturating_sub(1)
    } else {
        0
    };
    names.get(skipped..).unwrap_or_default()
}
