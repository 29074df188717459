//! Resource groups, as far as clients of this service need them (clients.md).

use std::sync::Arc;

use axum::http::StatusCode;
use trainyard_domain::state::Group;
use trainyard_store::{Goal, Page};
use trainyard_wire::resources as wire;

use super::{CallLinks, Outcome, absent_is_none, group_of, list as list_reply, standing};
use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::lro;

/// ResourceGroups_Get.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let path = call.group()?;
    Ok(Reply::ok(wire::group(&app.read(|s| group_of(s, &path))?)))
}

/// ResourceGroups_CheckExistence: 204 or 404.
pub fn exists(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let path = call.group()?;
    app.read(|s| group_of(s, &path))?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// ResourceGroups_List.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let subscription = call.subscription()?;
    let groups: Vec<Group> = app.read(|s| Ok(s.groups(&subscription, Page::ALL)?))?;
    Ok(list_reply(groups.iter().map(wire::group).collect(), None))
}

/// ResourceGroups_CreateOrUpdate: 201 for a new one, 200 for an old one with its tags replaced. A group
/// cannot move.
pub async fn create(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let path = call.group()?;
    let wish = wire::group_create(&call.body)?;
    let now = app.now();
    let made = app.write(move |tx| {
        let found = tx.group(&path.subscription, &path.group)?;
        let Some(mut found) = found else {
            let made = tx.insert_group(&path, &wish.region, &wish.tags, now)?;
            tx.insert_event(&call.event(now, made.path.to_string(), None))?;
            return Ok((StatusCode::CREATED, made));
        };
        standing(Kind::Group, &found.path.group, found.provisioning)?;
        if found.region != wish.region {
            return Err(ApiError::AlreadyExists {
                kind: Kind::Group,
                name: found.path.group.to_string(),
            });
        }
        if found.tags != wish.tags {
            tx.set_group_tags(found.uid, &wish.tags)?;
            found.tags = wish.tags;
            tx.insert_event(&call.event(now, found.path.to_string(), None))?;
        }
        Ok((StatusCode::OK, found))
    });
    let (status, group) = made.await?;
    Ok(Reply::json(status, wire::group(&group)))
}

/// ResourceGroups_Delete: with all that is below it.
pub async fn delete(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let path = call.group()?;
    let (now, id, links) = (app.now(), app.ports.random.uuid(), CallLinks::of(&call));
    let outcome = app.write(move |tx| {
        let Some(found) = absent_is_none(group_of(tx, &path))? else {
            return Err(ApiError::NoGroup {
                name: path.group.to_string(),
            });
        };
        tx.insert_event(&call.event(now, found.path.to_string(), None))?;
        let one = Page {
            after: None,
            limit: 1,
        };
        if tx.workspaces_in_group(found.uid, one)?.is_empty() {
            tx.remove_group(found.uid)?;
            tx.close_operations_of_deleted(found.uid, now)?;
            return Ok(Outcome::Done);
        }
        tx.begin_group_deletion(found.uid, now)?;
        let subject = lro::Subject {
            scope: &found.path,
            names: &[],
            region: &found.region,
            uid: found.uid,
        };
        Outcome::begun(lro::open(tx, id, Goal::Deleted, &subject, now)?)
    });
    Ok(app.outcome(&links, outcome.await?))
}
