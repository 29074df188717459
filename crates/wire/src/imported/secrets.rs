//! Secrets are in no export. A stand-in takes the place of each while the body is read, and nothing stays of it.

use serde_json::{Map, Value};
use trainyard_domain::secret::Secret;
use trainyard_domain::spec::Secrets;

/// No secret looks like it.
const STAND_IN: &str = "(a secret that is in no export)";

/// Puts a stand-in for every secret that a cluster, file server or job needs and its export leaves out. Gives the
/// paths of those.
pub fn stand_in(body: &mut Value) -> Vec<String> {
    let mut missing = Vec::new();
    let Some(properties) = member(body, "properties") else {
        return missing;
    };
    let mut fill = Fill {
        missing: &mut missing,
    };
    fill.account(properties, "properties");
    if let Some(ssh) = member(properties, "sshConfiguration") {
        fill.account(ssh, "properties.sshConfiguration");
    }
    fill.work(properties, "properties");
    fill.container(properties);
    if let Some(setup) = member(properties, "nodeSetup") {
        let at = "properties.nodeSetup";
        fill.work(setup, at);
        if let Some(task) = member(setup, "setupTask") {
            fill.variables(task, &format!("{at}.setupTask"));
        }
        if let Some(insights) = member(setup, "performanceCountersSettings")
            .and_then(|counters| member(counters, "appInsightsReference"))
        {
            let at = format!("{at}.performanceCountersSettings.appInsightsReference");
            fill.secret(insights, "instrumentationKey", &at);
        }
    }
    missing
}

/// Makes nothing of every stand-in in a wish.
pub fn forget_stand_ins(wish: &mut impl Secrets) {
    wish.secrets(&mut |_, secret| {
        if secret.reveal() == STAND_IN {
            *secret = Secret::default();
        }
    });
}

fn member<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    value.get_mut(name).filter(|value| value.is_object())
}

fn entries<'a>(value: &'a mut Value, name: &str) -> impl Iterator<Item = (usize, &'a mut Value)> {
    let list = value.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().enumerate()
}

struct Fill<'a> {
    missing: &'a mut Vec<String>,
}

impl Fill<'_> {
    /// A secret given in clear as `name`, or by a reference to a vault.
    fn secret(&mut self, parent: &mut Value, name: &str, at: &str) {
        let Some(members) = parent.as_object_mut() else {
            return;
        };
        if !has(members, name) && !has(members, &format!("{name}SecretReference")) {
            self.put(members, name, at);
        }
    }

    fn put(&mut self, members: &mut Map<String, Value>, name: &str, at: &str) {
        members.insert(name.to_owned(), Value::String(STAND_IN.to_owned()));
        self.missing.push(format!("{at}.{name}"));
    }

    /// An account needs a key or a password.
    fn account(&mut self, parent: &mut Value, at: &str) {
        let Some(account) = member(parent, "userAccountSettings").and_then(Value::as_object_mut) else {
            return;
        };
        let known = [
            "adminUserPassword",
            "adminUserSshPublicKey",
            "adminUserSSHPublicKey",
        ];
        if !known.iter().any(|name| has(account, name)) {
            self.put(account, "adminUserPassword", &format!("{at}.userAccountSettings"));
        }
    }

    /// Volumes and secret variables.
    fn work(&mut self, parent: &mut Value, at: &str) {
        self.variables(parent, at);
        let Some(volumes) = member(parent, "mountVolumes") else {
            return;
        };
        for kind in ["azureFileShares", "azureBlobFileSystems"] {
            for (i, volume) in entries(volumes, kind) {
                let Some(members) = volume.as_object_mut() else {
                    continue;
                };
                if !has(members, "credentials") {
                    members.insert("credentials".to_owned(), Value::Object(Map::new()));
                }
                let at = format!("{at}.mountVolumes.{kind}[{i}].credentials");
                if let Some(credentials) = member(volume, "credentials") {
                    self.secret(credentials, "accountKey", &at);
                }
            }
        }
    }

    fn variables(&mut self, parent: &mut Value, at: &str) {
        for (i, variable) in entries(parent, "secrets") {
            self.secret(variable, "value", &format!("{at}.secrets[{i}]"));
        }
    }

    fn container(&mut self, properties: &mut Value) {
        let registry = member(properties, "containerSettings")
            .and_then(|settings| member(settings, "imageSourceRegistry"));
        if let Some(credentials) = registry.and_then(|registry| member(registry, "credentials")) {
            let at = "properties.containerSettings.imageSourceRegistry.credentials";
            self.secret(credentials, "password", at);
        }
    }
}

/// Whether a member says something.
fn has(members: &Map<String, Value>, name: &str) -> bool {
    match members.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::v2018_05_01;

    #[test]
    fn what_an_export_leaves_out_is_named_and_nothing_stays_of_the_stand_in() {
        let mut body = json!({"properties": {
            "vmSize": "STANDARD_D1",
            "userAccountSettings": {"adminUserName": "u", "adminUserSshPublicKey": ""},
            "nodeSetup": {
                "mountVolumes": {"azureFileShares": [
                    {"accountName": "a", "azureFileUrl": "https://a.file.core.windows.net/s", "credentials": {},
                     "relativeMountPath": "afs"},
                    {"accountName": "a", "azureFileUrl": "https://a.file.core.windows.net/t",
                     "credentials": {"accountKey": "given"}, "relativeMountPath": "other"}
                ]},
                "setupTask": {"commandLine": "true", "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
                    "secrets": [{"name": "S"}]}
            }
        }});
        let missing = stand_in(&mut body);
        assert_eq!(
            missing,
            [
                "properties.userAccountSettings.adminUserPassword",
                "properties.nodeSetup.mountVolumes.azureFileShares[0].credentials.accountKey",
                "properties.nodeSetup.setupTask.secrets[0].value",
            ]
        );
        let mut spec = v2018_05_01::cluster_create(body.to_string().as_bytes()).unwrap();
        forget_stand_ins(&mut spec);
        let mut kept = Vec::new();
        spec.secrets(&mut |_, secret| kept.push(secret.reveal().to_owned()));
        kept.sort();
        assert_eq!(kept, ["", "", "", "given"]);
    }

    #[test]
    fn a_vault_is_enough_and_other_shapes_are_left_as_they_are() {
        let mut body = json!({"properties": {
            "secrets": [{"name": "S", "valueSecretReference": {"secretUrl": "u"}}],
            "mountVolumes": [1], "nodeSetup": "x", "containerSettings": {"imageSourceRegistry": null}
        }});
        let before = body.clone();
        assert!(stand_in(&mut body).is_empty());
        assert_eq!(body, before);
    }
}
