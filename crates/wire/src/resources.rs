//! The few resources of Azure Resource Manager itself that clients ask for: groups, subscriptions, the
//! provider (clients.md, "Calls beyond Microsoft.BatchAI").

use serde_json::Value;
use trainyard_domain::name::{Region, SubscriptionId};
use trainyard_domain::spec::check_tags;
use trainyard_domain::state::{Group, Provisioning, Tags};

use crate::ApiVersion;
use crate::body::{BadBody, Object, Read, json};
use crate::out::Out;

/// The body of a resource group's PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCreate {
    /// Its region.
    pub region: Region,
    /// Its tags.
    pub tags: Tags,
}

/// Reads the body of a resource group's PUT.
pub fn group_create(body: &[u8]) -> Result<GroupCreate, BadBody> {
    let (region, tags) = region_and_tags(&Object::root(&json(body)?)?)?;
    Ok(GroupCreate { region, tags })
}

/// Reads `location` and `tags`, as groups, workspaces and flat resources have them.
pub(crate) fn region_and_tags(root: &Object<'_>) -> Read<(Region, Tags)> {
    let region = Region::new(&root.need_text("location")?, "location")?;
    let tags = root.text_map("tags")?.unwrap_or_default();
    check_tags(&tags)?;
    Ok((region, tags))
}

/// Adds the tags where there are any.
pub(crate) fn tags_out(out: Out, tags: &Tags) -> Out {
    if tags.is_empty() {
        return out;
    }
    let add = |out: Out, (name, value): (&String, &String)| out.with(name, value.as_str());
    out.with("tags", tags.iter().fold(Out::new(), add))
}

/// Writes a resource group.
pub fn group(group: &Group) -> Value {
    let state = match group.provisioning {
        Provisioning::Succeeded => "Succeeded",
        Provisioning::Deleting => "Deleting",
        Provisioning::Failed => "Failed",
    };
    let out = Out::new()
        .with("id", group.path.to_string())
        .with("name", group.path.group.as_str())
        .with("type", "Microsoft.Resources/resourceGroups")
        .with("location", group.region.as_str());
    tags_out(out, &group.tags)
        .with("properties", Out::new().with("provisioningState", state))
        .into()
}

/// Writes a subscription.
pub fn subscription(id: &SubscriptionId, display_name: &str) -> Value {
    Out::new()
        .with("id", format!("/subscriptions/{id}"))
        .with("subscriptionId", id.as_str())
        .with("displayName", display_name)
        .with("state", "Enabled")
        .into()
}

/// A type of resource with its regions and api-versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceType<'a> {
    /// Such as `workspaces/clusters`.
    pub name: &'a str,
    /// Where it can be made.
    pub locations: &'a [&'a str],
    /// The api-versions that know it, newest first.
    pub api_versions: &'a [ApiVersion],
}

fn versions(versions: &[ApiVersion]) -> Vec<&'static str> {
    versions.iter().map(|version| version.as_str()).collect()
}

/// Writes the resource provider of a subscription; it is always registered.
pub fn provider(subscription: &SubscriptionId, types: &[ResourceType<'_>]) -> Value {
    let one = |kind: &ResourceType<'_>| {
        Out::new()
            .with("resourceType", kind.name)
            .with("locations", kind.locations.to_vec())
            .with("apiVersions", versions(kind.api_versions))
            .into()
    };
    let types: Vec<Value> = types.iter().map(one).collect();
    Out::new()
        .with(
            "id",
            format!("/subscriptions/{subscription}/providers/Microsoft.BatchAI"),
        )
        .with("namespace", "Microsoft.BatchAI")
        .with("registrationState", "Registered")
        .with("resourceTypes", types)
        .into()
}
