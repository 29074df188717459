//! Workspaces.

use serde_json::Value;
use trainyard_domain::name::Region;
use trainyard_domain::resource_id::workspace_id;
use trainyard_domain::spec::check_tags;
use trainyard_domain::state::{Tags, Workspace};

use super::common::{resource, with_life_cycle};
use crate::body::{BadBody, Object, json};
use crate::out::Out;
use crate::resources::{region_and_tags, tags_out};

/// The body of a workspace's PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceCreate {
    /// Its region.
    pub region: Region,
    /// Its tags.
    pub tags: Tags,
}

/// Reads the body of a workspace's PUT.
pub fn workspace_create(body: &[u8]) -> Result<WorkspaceCreate, BadBody> {
    let (region, tags) = region_and_tags(&Object::root(&json(body)?)?)?;
    Ok(WorkspaceCreate { region, tags })
}

/// Reads the body of a workspace's PATCH: the new tags, `None` where it names none.
pub fn workspace_update(body: &[u8]) -> Result<Option<Tags>, BadBody> {
    let value = json(body)?;
    let tags = Object::root(&value)?.text_map("tags")?;
    if let Some(tags) = &tags {
        check_tags(tags)?;
    }
    Ok(tags)
}

/// Writes a workspace.
pub fn workspace(workspace: &Workspace) -> Value {
    let meta = &workspace.meta;
    let id = workspace_id(&workspace.scope, &meta.name);
    let out = resource(id, meta, "workspaces").with("location", workspace.region.as_str());
    tags_out(out, &workspace.tags)
        .with("properties", with_life_cycle(Out::new(), meta))
        .into()
}
