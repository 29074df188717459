//! Workspaces (api.md section 3).

use std::sync::Arc;

use trainyard_domain::resource_id::workspace_id;
use trainyard_domain::state::{Group, Meta, Tags, Workspace};
use trainyard_store::{Goal, Snapshot};
use trainyard_wire::v2018_05_01 as wire;

use super::{
    CallLinks, Outcome, WorkspacePath, absent_is_none, etag, group_of, list as list_reply, standing,
    workspace_of,
};
use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::lro;

fn reply(workspace: &Workspace) -> Reply {
    Reply::resource(&workspace.meta, wire::workspace(workspace))
}

fn find(s: &Snapshot<'_>, path: &WorkspacePath) -> Result<Workspace, ApiError> {
    workspace_of(s, &path.group, &path.workspace)
}

/// Workspaces_Get.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let path = call.workspace_path()?;
    Ok(reply(&app.read(|s| find(s, &path))?))
}

/// Workspaces_List: those of a subscription.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let subscription = call.subscription()?;
    let page = call.page()?;
    show(call, app.read(|s| Ok(s.workspaces(&subscription, page)?))?)
}

/// Workspaces_ListByResourceGroup.
pub fn list_by_group(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let path = call.group()?;
    let page = call.page()?;
    show(
        call,
        app.read(|s| Ok(s.workspaces_in_group(group_of(s, &path)?.uid, page)?))?,
    )
}

fn show(call: &Call, found: Vec<Workspace>) -> Result<Reply, ApiError> {
    let (found, next) = call.cut(found, |w| w.meta.uid)?;
    Ok(list_reply(found.iter().map(wire::workspace).collect(), next))
}

/// Workspaces_Create: a PUT of an existing workspace replaces its tags; another location is a conflict.
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let path = call.workspace_path()?;
    let wish = wire::workspace_create(&call.body)?;
    let now = app.now();
    let made = app.write(move |tx| {
        let group: Group = group_of(tx, &path.group)?;
        standing(Kind::Group, &group.path.group, group.provisioning)?;
        let found = tx.workspace(group.uid, &path.workspace)?;
        call.preconditions()
            .check(etag(found.as_ref().map(|w| &w.meta)).as_deref())?;
        let Some(mut found) = found else {
            let made = tx.insert_workspace(&group, &path.workspace, &wish.region, &wish.tags, now)?;
            tx.insert_event(&call.event(now, workspace_id(&made.scope, &made.meta.name), None))?;
            return Ok(made);
        };
        standing(Kind::Workspace, &found.meta.name, found.meta.provisioning)?;
        if found.region != wish.region {
            return Err(ApiError::AlreadyExists {
                kind: Kind::Workspace,
                name: found.meta.name.to_string(),
            });
        }
        if found.tags != wish.tags {
            tx.set_workspace_tags(&mut found, wish.tags, now)?;
            tx.insert_event(&call.event(now, workspace_id(&found.scope, &found.meta.name), None))?;
        }
        Ok(found)
    });
    Ok(reply(&made.await?))
}

/// Workspaces_Update: tags.
pub async fn update(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let path = call.workspace_path()?;
    let tags: Option<Tags> = wire::workspace_update(&call.body)?;
    let now = app.now();
    let changed = app.write(move |tx| {
        let mut found = find(tx, &path)?;
        call.preconditions().check(Some(&found.meta.etag()))?;
        standing(Kind::Workspace, &found.meta.name, found.meta.provisioning)?;
        if let Some(tags) = tags
            && tags != found.tags
        {
            tx.set_workspace_tags(&mut found, tags, now)?;
            tx.insert_event(&call.event(now, workspace_id(&found.scope, &found.meta.name), None))?;
        }
        Ok(found)
    });
    Ok(reply(&changed.await?))
}

/// Workspaces_Delete: with all that is below it.
pub async fn delete(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let path = call.workspace_path()?;
    let (now, id, links) = (app.now(), app.ports.random.uuid(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let found = absent_is_none(find(tx, &path))?;
        call.preconditions()
            .check(etag(found.as_ref().map(|w| &w.meta)).as_deref())?;
        let Some(found) = found else {
            return Ok(Outcome::Absent);
        };
        let Meta { uid, name, .. } = &found.meta;
        let target = workspace_id(&found.scope, name);
        tx.insert_event(&call.event(now, target, None))?;
        if tx.workspace_is_empty(*uid)? {
            tx.remove_workspace(*uid)?;
            tx.close_operations_of_deleted(*uid, now)?;
            return Ok(Outcome::Done);
        }
        tx.begin_workspace_deletion(*uid, now)?;
        let subject = lro::Subject {
            scope: &found.scope,
            names: &[name],
            region: &found.region,
            uid: *uid,
        };
        Outcome::begun(lro::open(tx, id, Goal::Deleted, &subject, now)?)
    });
    Ok(app.outcome(&links, outcome.await?))
}
