//! Subscriptions and the provider's registration, as far as clients need them (clients.md).

use trainyard_wire::ApiVersion;
use trainyard_wire::resources::{self, ResourceType};

use super::list as list_reply;
use crate::App;
use crate::arm_error::ApiError;
use crate::http::{Call, Reply};

/// What subscriptions are called; their ids tell them apart.
const DISPLAY_NAME: &str = "Trainyard";
/// The types of Microsoft.BatchAI.
const TYPES: [&str; 8] = [
    "workspaces",
    "workspaces/clusters",
    "workspaces/fileservers",
    "workspaces/experiments",
    "workspaces/experiments/jobs",
    "clusters",
    "fileservers",
    "jobs",
];

/// Subscriptions_List: those of the configuration.
pub fn list(app: &App) -> Reply {
    let shown = app
        .settings
        .subscriptions
        .iter()
        .map(|s| resources::subscription(s, DISPLAY_NAME));
    list_reply(shown.collect(), None)
}

/// Subscriptions_Get.
pub fn get(call: &Call) -> Result<Reply, ApiError> {
    Ok(Reply::ok(resources::subscription(
        &call.subscription()?,
        DISPLAY_NAME,
    )))
}

/// Providers_Get, Providers_Register and Providers_Unregister: the provider is always registered.
pub fn provider(call: &Call) -> Result<Reply, ApiError> {
    let (flat, nested): (Vec<_>, Vec<_>) = ApiVersion::ALL.into_iter().partition(|version| version.is_flat());
    let types = TYPES.map(|name| ResourceType {
        name,
        locations: &[],
        api_versions: if name.starts_with("workspaces") {
            &nested
        } else {
            &flat
        },
    });
    Ok(Reply::ok(resources::provider(&call.subscription()?, &types)))
}
