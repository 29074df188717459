//! az: a configuration folder of its own, signed in without a call (clients.md, "A hand-made profile").

use std::path::Path;

use serde_json::json;

use super::target::Target;
use crate::out;

/// The cloud and the user as az shows them.
const NAME: &str = "trainyard";
/// Nobody signs in there: the token is in the folder already. Its path must be this one.
const AUTHORITY: &str = "https://login.invalid/adfs";
/// az compares it with what it would sign in as.
const AZ_CLIENT: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const TENANT: &str = "00000000-0000-0000-0000-000000000000";
const NEVER: &str = "2099-01-01 00:00:00.000000";

/// Writes the folder and prints the variables that make az use it.
pub fn connect(target: &Target) -> anyhow::Result<()> {
    let place = &target.place;
    place.write("clouds.config", &clouds(&target.url))?;
    // What the user sets with `az configure` stands there too, and stays.
    if !place.path().join("config").exists() {
        place.write(
            "config",
            &format!("[cloud]\nname = {NAME}\n[core]\ncollect_telemetry = no\n"),
        )?;
    }
    place.write("azureProfile.json", &profile(&target.subscription).to_string())?;
    place.write("accessTokens.json", &tokens(target).to_string())?;
    let mut lines = export("AZURE_CONFIG_DIR", place.path());
    if let Some(authority) = &target.authority {
        lines += &export("REQUESTS_CA_BUNDLE", authority);
    }
    out::print(lines)?;
    say!(
        "az speaks to {} in a shell that has evaluated these lines; try: az batchai workspace list",
        target.url
    );
    Ok(())
}

fn export(name: &str, path: &Path) -> String {
    format!(
        "export {name}='{}'\n",
        path.display().to_string().replace('\'', r"'\''")
    )
}

fn clouds(url: &str) -> String {
    format!(
        "[{NAME}]\nendpoint_resource_manager = {url}\nendpoint_management = {url}\n\
         endpoint_active_directory = {AUTHORITY}\nendpoint_active_directory_resource_id = {url}\n\
         endpoint_active_directory_graph_resource_id = {url}\nsuffix_storage_endpoint = core.windows.net\n"
    )
}

fn profile(subscription: &str) -> serde_json::Value {
    json!({"subscriptions": [{
        "id": subscription, "name": NAME, "state": "Enabled", "isDefault": true, "tenantId": TENANT,
        "environmentName": NAME, "user": {"name": NAME, "type": "user"}
    }]})
}

fn tokens(target: &Target) -> serde_json::Value {
    json!([{
        "tokenType": "Bearer", "accessToken": target.token, "expiresOn": NEVER, "expiresIn": 3600,
        "resource": target.url, "refreshToken": "none", "isMRRT": true, "userId": NAME,
        "_clientId": AZ_CLIENT, "_authority": AUTHORITY
    }])
}
