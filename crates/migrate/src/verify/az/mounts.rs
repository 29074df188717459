//! Volumes that the options of a `create` add to those of its file.

use serde_json::{Value, json};

use super::super::place::{Kind, in_our_subscription};
use super::super::standin;
use super::create::Draft;
use crate::az::grammar::Role;

const ACCOUNT: &str = "anyaccount";
const KEY: &str = "a2V5";
const ACCOUNT_MARK: &str = "<AZURE_BATCHAI_STORAGE_ACCOUNT>";
const KEY_MARK: &str = "<AZURE_BATCHAI_STORAGE_KEY>";

/// Adds the volumes; `way` leads to `mountVolumes`.
pub fn add(draft: &mut Draft<'_>, way: &[&str]) {
    let options = &draft.call.options;
    let account = options
        .plain(Role::Account)
        .map_or_else(|| ACCOUNT.to_owned(), |text| account_name(&text));
    let path = |role, otherwise: &str| options.text(role).unwrap_or_else(|| otherwise.to_owned());
    let server = options.text(Role::Nfs).map(|nfs| {
        json!({
            "fileServer": {"id": reference(draft, &nfs, Kind::FileServer, Role::NfsGroup)},
            "relativeMountPath": path(Role::NfsPath, "nfs"),
        })
    });
    let share = options.name(Role::Afs).map(|share| {
        json!({
            "accountName": account,
            "azureFileUrl": format!("https://{account}.file.core.windows.net/{}", share.to_lowercase()),
            "relativeMountPath": path(Role::AfsPath, "afs"),
            "credentials": {"accountKey": KEY},
        })
    });
    let container = options.name(Role::Bfs).map(|container| {
        json!({
            "accountName": account,
            "containerName": container.to_lowercase(),
            "relativeMountPath": path(Role::BfsPath, "bfs"),
            "credentials": {"accountKey": KEY},
        })
    });
    for (list, volume) in [
        ("fileServers", server),
        ("azureFileShares", share),
        ("azureBlobFileSystems", container),
    ] {
        let Some(volume) = volume else { continue };
        let volumes = draft.at(way).entry(list.to_owned()).or_insert_with(|| json!([]));
        match volumes {
            Value::Array(volumes) => volumes.push(volume),
            other => *other = json!([volume]),
        }
    }
    if let Some(properties) = draft.body.get_mut("properties") {
        fill(properties, &account);
    }
}

/// The id of a file server or cluster that the call names, in its own version's form.
pub fn reference(draft: &Draft<'_>, text: &str, kind: Kind, group: Role) -> String {
    if text.starts_with('/') {
        return in_our_subscription(text);
    }
    let options = &draft.call.options;
    let group = options.name(group).unwrap_or_else(|| options.group());
    draft.call.place().path(&group, kind, &standin::name(text))
}

fn account_name(text: &str) -> String {
    let name: String = standin::resolve(text)
        .to_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(24)
        .collect();
    format!("{name:a<3}")
}

/// Fills in what the client fills in: the marks for account and key, and a key where there is none.
pub fn fill(value: &mut Value, account: &str) {
    match value {
        Value::String(text) => *text = text.replace(ACCOUNT_MARK, account).replace(KEY_MARK, KEY),
        Value::Array(entries) => entries.iter_mut().for_each(|entry| fill(entry, account)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| fill(member, account));
            let volume = members.contains_key("azureFileUrl") || members.contains_key("containerName");
            let credentials = members.get("credentials").is_some_and(Value::is_object);
            if volume && members.contains_key("accountName") && !credentials {
                members.insert("credentials".to_owned(), json!({ "accountKey": KEY }));
            }
        }
        _ => {}
    }
}
