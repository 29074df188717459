//! Experiments (api.md section 3).

use std::sync::Arc;

use trainyard_domain::resource_id::experiment_id;
use trainyard_domain::state::Experiment;
use trainyard_store::{Goal, Tx};
use trainyard_wire::v2018_05_01 as wire;

use super::{
    CallLinks, Outcome, absent_is_none, etag, experiment_of, list as list_reply, standing,
    standing_workspace, workspace_of,
};
use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::lro;

fn reply(experiment: &Experiment) -> Reply {
    Reply::resource(&experiment.meta, wire::experiment(experiment))
}

/// Experiments_Get.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let path = call.experiment_path()?;
    Ok(reply(&app.read(|s| experiment_of(s, &path))?))
}

/// Experiments_ListByWorkspace.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let path = call.workspace_path()?;
    let page = call.page()?;
    let found = app.read(|s| {
        let workspace = workspace_of(s, &path.group, &path.workspace)?;
        Ok(s.experiments(workspace.meta.uid, page)?)
    })?;
    let (found, next) = call.cut(found, |e| e.meta.uid)?;
    Ok(list_reply(found.iter().map(wire::experiment).collect(), next))
}

/// Experiments_Create: it has no wish of its own, so a PUT of an existing one changes nothing.
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let path = call.experiment_path()?;
    wire::experiment_create(&call.body)?;
    let now = app.now();
    let made = app.write(move |tx| {
        let workspace = standing_workspace(tx, &path.group, &path.workspace)?;
        let found = tx.experiment(workspace.meta.uid, &path.experiment)?;
        call.preconditions()
            .check(etag(found.as_ref().map(|e| &e.meta)).as_deref())?;
        if let Some(found) = found {
            standing(Kind::Experiment, &found.meta.name, found.meta.provisioning)?;
            return Ok(found);
        }
        let made = tx.insert_experiment(&workspace, &path.experiment, now)?;
        tx.insert_event(&call.event(now, id_of(&made), None))?;
        Ok(made)
    });
    Ok(reply(&made.await?))
}

/// Experiments_Delete: with its jobs.
pub async fn delete(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let path = call.experiment_path()?;
    let (now, id, links) = (app.now(), app.ports.random.uuid(), CallLinks::of(&call));
    let outcome = app.write(move |tx: &Tx<'_>| {
        let found = absent_is_none(experiment_of(tx, &path))?;
        call.preconditions()
            .check(etag(found.as_ref().map(|e| &e.meta)).as_deref())?;
        let Some(found) = found else {
            return Ok(Outcome::Absent);
        };
        let uid = found.meta.uid;
        tx.insert_event(&call.event(now, id_of(&found), None))?;
        if !tx.experiment_has_jobs(uid)? {
            tx.remove_experiment(uid)?;
            tx.close_operations_of_deleted(uid, now)?;
            return Ok(Outcome::Done);
        }
        tx.begin_experiment_deletion(uid, now)?;
        let workspace = workspace_of(tx, &path.group, &path.workspace)?;
        let subject = lro::Subject {
            scope: &found.scope,
            names: &[&found.workspace, &found.meta.name],
            region: &workspace.region,
            uid,
        };
        Outcome::begun(lro::open(tx, id, Goal::Deleted, &subject, now)?)
    });
    Ok(app.outcome(&links, outcome.await?))
}

fn id_of(experiment: &Experiment) -> String {
    experiment_id(&experiment.scope, &experiment.workspace, &experiment.meta.name)
}
