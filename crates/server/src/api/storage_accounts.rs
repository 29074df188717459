//! Storage accounts, as far as clients ask the resource manager for them (clients.md, "Calls beyond
//! Microsoft.BatchAI"): their ids and their keys.
//!
//! Clients want a key in base64 before they mount a share. They get one of ours, which opens nothing: an account here
//! needs none, and the key of one of Azure stays in the server.

use serde_json::{Value, json};
use trainyard_domain::name::SubscriptionId;
use trainyard_storage::AccountName;

use super::list as list_reply;
use crate::App;
use crate::arm_error::ApiError;
use crate::http::{Call, Reply};

/// The group of accounts for which the configuration names no other.
pub const GROUP: &str = "trainyard-storage";
/// Two, as the service had, so that one can be used while the other is changed.
const KEYS: [&str; 2] = ["key1", "key2"];

/// An account and its resource group.
struct Account {
    name: AccountName,
    group: String,
}

impl Account {
    fn show(&self, subscription: &SubscriptionId) -> Value {
        json!({
            "id": format!(
                "/subscriptions/{subscription}/resourceGroups/{}/providers/Microsoft.Storage/storageAccounts/{}",
                self.group, self.name
            ),
            "name": self.name.as_str(),
            "type": "Microsoft.Storage/storageAccounts",
            "location": "local",
            "kind": "StorageV2",
            "sku": { "name": "Standard_LRS", "tier": "Standard" },
            "properties": { "provisioningState": "Succeeded" },
        })
    }
}

/// Those of the configuration, and those that have been used.
fn accounts(app: &App) -> Result<Vec<Account>, ApiError> {
    let known = app.ports.accounts.known();
    let known = known.map_err(|error| ApiError::Internal(Box::new(error)))?;
    let group_of = |name: &AccountName| {
        let own = app.settings.account_groups.get(name.as_str());
        own.map_or(GROUP, String::as_str).to_owned()
    };
    Ok(known
        .into_iter()
        .map(|name| Account {
            group: group_of(&name),
            name,
        })
        .collect())
}

/// StorageAccounts_List: all of them.
pub fn list(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let subscription = call.subscription()?;
    let shown = accounts(app)?;
    Ok(list_reply(
        shown.iter().map(|a| a.show(&subscription)).collect(),
        None,
    ))
}

/// StorageAccounts_ListByResourceGroup.
pub fn list_by_group(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let (subscription, group) = (call.subscription()?, call.parameters.get("resourceGroupName"));
    let shown = accounts(app)?;
    let of_group = shown.iter().filter(|a| a.group.eq_ignore_ascii_case(group));
    Ok(list_reply(
        of_group.map(|a| a.show(&subscription)).collect(),
        None,
    ))
}

fn account_of(app: &App, call: &Call) -> Result<Account, ApiError> {
    let (name, group) = (
        call.parameters.get("accountName"),
        call.parameters.get("resourceGroupName"),
    );
    let named = accounts(app)?
        .into_iter()
        .find(|account| account.name.as_str().eq_ignore_ascii_case(name));
    match named {
        Some(account) if account.group.eq_ignore_ascii_case(group) => Ok(account),
        elsewhere => Err(ApiError::NoStorageAccount {
            name: trainyard_domain::name::excerpt(name),
            group: trainyard_domain::name::excerpt(group),
            elsewhere: elsewhere.map(|account| account.group),
        }),
    }
}

/// StorageAccounts_GetProperties.
pub fn get(app: &App, call: &Call) -> Result<Reply, ApiError> {
    Ok(Reply::ok(account_of(app, call)?.show(&call.subscription()?)))
}

/// StorageAccounts_ListKeys: the same ones each time.
pub fn keys(app: &App, call: &Call) -> Result<Reply, ApiError> {
    let account = account_of(app, call)?;
    let key = |name| {
        let value = app
            .ports
            .sign_in_key
            .of_storage_account(account.name.as_str(), name);
        json!({ "keyName": name, "value": value, "permissions": "Full" })
    };
    Ok(Reply::ok(json!({ "keys": KEYS.map(key) })))
}
