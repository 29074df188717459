//! Handlers, one file a resource.

pub mod clusters;
pub mod experiments;
pub mod file_servers;
pub mod files;
mod grants;
pub mod groups;
pub mod imports;
pub mod jobs;
pub mod keys;
mod mounts;
pub mod nodes;
pub mod operations;
mod place;
pub mod principals;
mod query;
pub mod server;
pub mod sign_in;
pub mod storage_accounts;
pub mod subscriptions;
pub mod tokens;
pub mod usages;
pub mod workspaces;

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;
use tracing::info;
use trainyard_domain::name::Name;
use trainyard_domain::resource_id::GroupPath;
use trainyard_domain::state::{Experiment, Group, Meta, Provisioning, Workspace};
use trainyard_store::{Operation, Snapshot, Tx};
use trainyard_wire::ApiVersion;
use trainyard_wire::envelope::OperationUrls;

use self::query::{Filter, Select};
use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};

impl App {
    fn now(&self) -> Timestamp {
        self.ports.clock.now_in_millis()
    }

    /// Runs a change and has the reconcilers look at what came of it.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let done = self.ports.store.write(work).await?;
        self.wake();
        Ok(done)
    }

    fn read<T>(&self, work: impl FnOnce(&Snapshot<'_>) -> Result<T, ApiError>) -> Result<T, ApiError> {
        self.ports.store.read(work)
    }

    /// The answer to a deletion or termination: done, or an operation to follow.
    fn outcome(&self, call: &CallLinks, outcome: Outcome) -> Reply {
        match outcome {
            Outcome::Absent => Reply::empty(StatusCode::NO_CONTENT),
            Outcome::Done => Reply::empty(StatusCode::OK),
            Outcome::Begun(operation) => {
                info!(operation_id = operation.id, "an operation has begun");
                call.accepted(&operation)
            }
        }
    }
}

/// What came of a deletion or termination.
enum Outcome {
    /// There was nothing.
    Absent,
    /// It is done.
    Done,
    /// It has begun.
    Begun(Box<Operation>),
}

impl Outcome {
    fn begun(operation: Operation) -> Result<Outcome, ApiError> {
        Ok(Outcome::Begun(Box::new(operation)))
    }
}

/// What is needed to link to operations once the call itself is gone.
struct CallLinks {
    base: String,
    version: ApiVersion,
}

impl CallLinks {
    fn of(call: &Call) -> CallLinks {
        CallLinks {
            base: call.base.clone(),
            version: call.version,
        }
    }

    fn urls(&self, operation: &Operation) -> OperationUrls {
        let id = operation.id.parse().unwrap_or_default();
        OperationUrls::new(
            &self.base,
            &operation.subscription,
            &operation.region,
            id,
            self.version,
        )
    }

    fn accepted(&self, operation: &Operation) -> Reply {
        let urls = self.urls(operation);
        Reply::accepted(&urls.async_operation, &urls.location)
    }
}

/// The group of a path, or the error that it is not there.
fn group_of(s: &Snapshot<'_>, path: &GroupPath) -> Result<Group, ApiError> {
    s.group(&path.subscription, &path.group)?
        .ok_or_else(|| ApiError::NoGroup {
            name: path.group.to_string(),
        })
}

/// The workspace of a path, or the error that it is not there.
fn workspace_of(s: &Snapshot<'_>, path: &GroupPath, name: &Name) -> Result<Workspace, ApiError> {
    workspace_in(s, &group_of(s, path)?, name)
}

fn workspace_in(s: &Snapshot<'_>, group: &Group, name: &Name) -> Result<Workspace, ApiError> {
    s.workspace(group.uid, name)?
        .ok_or_else(|| ApiError::not_found(Kind::Workspace, name))
}

/// The workspace of a path, if something can be put into it: neither it nor its group is being deleted. A
/// workspace hears of its group's deletion a little later, so both are asked.
fn standing_workspace(s: &Snapshot<'_>, path: &GroupPath, name: &Name) -> Result<Workspace, ApiError> {
    let group = group_of(s, path)?;
    standing(Kind::Group, &group.path.group, group.provisioning)?;
    let workspace = workspace_in(s, &group, name)?;
    standing(Kind::Workspace, &workspace.meta.name, workspace.meta.provisioning)?;
    Ok(workspace)
}

/// The experiment of a path, or the error that it is not there.
fn experiment_of(s: &Snapshot<'_>, path: &ExperimentPath) -> Result<Experiment, ApiError> {
    let workspace = workspace_of(s, &path.group, &path.workspace)?;
    s.experiment(workspace.meta.uid, &path.experiment)?
        .ok_or_else(|| ApiError::not_found(Kind::Experiment, &path.experiment))
}

/// Names of a path down to the workspace.
struct WorkspacePath {
    group: GroupPath,
    workspace: Name,
}

/// Names of a path down to the experiment.
struct ExperimentPath {
    group: GroupPath,
    workspace: Name,
    experiment: Name,
}

impl Call {
    fn workspace_path(&self) -> Result<WorkspacePath, ApiError> {
        Ok(WorkspacePath {
            group: self.group()?,
            workspace: self.name("workspaceName")?,
        })
    }

    fn experiment_path(&self) -> Result<ExperimentPath, ApiError> {
        Ok(ExperimentPath {
            group: self.group()?,
            workspace: self.name("workspaceName")?,
            experiment: self.name("experimentName")?,
        })
    }
}

/// Nothing can be put into what is being deleted.
fn standing(kind: Kind, name: impl ToString, provisioning: Provisioning) -> Result<(), ApiError> {
    match provisioning {
        Provisioning::Succeeded | Provisioning::Failed => Ok(()),
        Provisioning::Deleting => Err(ApiError::BeingDeleted {
            kind,
            name: name.to_string(),
        }),
    }
}

/// A list with the link to its next page.
fn list(values: Vec<Value>, next: Option<String>) -> Reply {
    Reply::ok(trainyard_wire::v2018_05_01::list(values, next.as_deref()))
}

/// As [`list`], with what the flat api-versions may ask of one: `$filter` and `$select`. A page is filtered after it was
/// cut, so one that has few entries, or none, may have a next one.
fn flat_list(call: &Call, mut values: Vec<Value>, next: Option<String>) -> Result<Reply, ApiError> {
    if call.version.is_flat() {
        let asked = |name| call.query.get(name).filter(|text| !text.is_empty());
        if let Some(filter) = asked("$filter").map(Filter::parse).transpose()? {
            values.retain(|value| filter.fits(value));
        }
        if let Some(select) = asked("$select").map(Select::parse).transpose()?.flatten() {
            values = values.iter().map(|value| select.of(value)).collect();
        }
    }
    Ok(list(values, next))
}

/// Looks something up on the way to a deletion: what, or whose parent, is not there is deleted already.
fn absent_is_none<T>(found: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(ApiError::NotFound { .. } | ApiError::NoFlatResource { .. } | ApiError::NoGroup { .. }) => {
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn etag(meta: Option<&Meta>) -> Option<String> {
    meta.map(Meta::etag)
}
