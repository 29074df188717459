//! Secrets that lie in key vaults.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::launch::visit_keys;
use crate::resource_id::ResourceId;
use crate::spec::{ClusterSpec, JobSpec, SecretSource, SecretVariable};

/// A secret in a key vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyVaultSecretReference {
    /// Id of the vault.
    pub source_vault: ResourceId,
    /// URL of the secret, with or without version.
    pub secret_url: String,
}

/// Longest name of a vault, a secret or a version.
const LONGEST: usize = 127;

/// What a reference points to, in its parts: letters, digits and '-' each, so that a part can stand in a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VaultSecret {
    /// The vault's name: the first label of the URL's host.
    pub vault: String,
    /// The secret's name.
    pub name: String,
    /// Its version; the newest when none is given.
    pub version: Option<String>,
}

impl KeyVaultSecretReference {
    /// The parts of its URL, `https://VAULT.DOMAIN/secrets/NAME[/VERSION]`; `None` when it has another shape.
    pub fn secret(&self) -> Option<VaultSecret> {
        let rest = self.secret_url.strip_prefix("https://")?;
        let (host, path) = rest.split_once('/')?;
        let host = host.strip_suffix(":443").unwrap_or(host);
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
        let (kind, name) = (parts.next()?, part(parts.next()?)?);
        let version = parts.next().map(part);
        let over = parts.next().is_some() || version.as_ref().is_some_and(Option::is_none);
        if !is_host || over || !kind.eq_ignore_ascii_case("secrets") {
            return None;
        }
        Some(VaultSecret {
            vault: part(host.split('.').next()?)?.to_ascii_lowercase(),
            name,
            version: version.flatten(),
        })
    }

    /// The vault as people call it: the last part of its id.
    pub fn vault_name(&self) -> &str {
        let id = self.source_vault.as_str();
        id.rsplit('/').next().unwrap_or(id)
    }
}

fn part(text: &str) -> Option<String> {
    let good = (1..=LONGEST).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    good.then(|| text.to_owned())
}

/// Storage accounts that have no key of their own here: what mounts their shares brings it along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeysOfRequests(BTreeSet<String>);

impl KeysOfRequests {
    /// Those of these names.
    pub fn of(accounts: impl IntoIterator<Item = String>) -> KeysOfRequests {
        let lower = accounts.into_iter().map(|name| name.to_ascii_lowercase());
        KeysOfRequests(lower.collect())
    }

    /// Whether an account is one of them.
    pub fn contains(&self, account: &str) -> bool {
        self.0.contains(&account.to_ascii_lowercase())
    }
}

/// A spec of which something may lie in a key vault.
pub trait Vaulted {
    /// Shows each secret without which nothing can be started, with the member that would hold a reference. Of the keys
    /// of storage accounts these are the ones of `keys`: the others have their own, or are directories.
    fn needed(&mut self, keys: &KeysOfRequests, visit: &mut dyn FnMut(String, &mut SecretSource));

    /// The first reference among [`Vaulted::needed`], and its member.
    fn first_reference(&self, keys: &KeysOfRequests) -> Option<(String, KeyVaultSecretReference)>
    where
        Self: Clone,
    {
        let mut found = None;
        self.clone().needed(keys, &mut |member, source| {
            if let (None, SecretSource::Vault(reference)) = (&found, source) {
                found = Some((member, reference.clone()));
            }
        });
        found
    }
}

impl Vaulted for JobSpec {
    fn needed(&mut self, keys: &KeysOfRequests, visit: &mut dyn FnMut(String, &mut SecretSource)) {
        if let Some(volumes) = &mut self.mount_volumes {
            visit_keys(volumes, "properties.mountVolumes", keys, visit);
        }
        variables(&mut self.secrets, "properties.secrets", visit);
        let container = self.container_settings.as_mut();
        if let Some(credentials) = container.and_then(|container| container.credentials.as_mut()) {
            let at = "properties.containerSettings.imageSourceRegistry.credentials.passwordSecretReference";
            visit(at.to_owned(), &mut credentials.password);
        }
    }
}

impl Vaulted for ClusterSpec {
    fn needed(&mut self, keys: &KeysOfRequests, visit: &mut dyn FnMut(String, &mut SecretSource)) {
        let Some(setup) = &mut self.node_setup else {
            return;
        };
        if let Some(volumes) = &mut setup.mount_volumes {
            visit_keys(volumes, "properties.nodeSetup.mountVolumes", keys, visit);
        }
        if let Some(task) = &mut setup.setup_task {
            variables(&mut task.secrets, "properties.nodeSetup.setupTask.secrets", visit);
        }
    }
}

fn variables(variables: &mut [SecretVariable], at: &str, visit: &mut dyn FnMut(String, &mut SecretSource)) {
    for (i, variable) in variables.iter_mut().enumerate() {
        visit(format!("{at}[{i}].valueSecretReference"), &mut variable.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(url: &str) -> KeyVaultSecretReference {
        KeyVaultSecretReference {
            source_vault: ResourceId::new("/subscriptions/s/vaults/Keys", "").unwrap(),
            secret_url: url.to_owned(),
        }
    }

    fn secret(url: &str) -> Option<(String, String, Option<String>)> {
        let found = reference(url).secret()?;
        Some((found.vault, found.name, found.version))
    }

    #[test]
    fn a_url_is_taken_apart() {
        let parts =
            |version: Option<&str>| Some(("keys".to_owned(), "Db-1".to_owned(), version.map(str::to_owned)));
        assert_eq!(secret("https://keys.vault.azure.net/secrets/Db-1"), parts(None));
        assert_eq!(
            secret("https://Keys.vault.azure.net:443/Secrets/Db-1/"),
            parts(None)
        );
        assert_eq!(
            secret("https://keys.example.org/secrets/Db-1/0aB9"),
            parts(Some("0aB9"))
        );
        assert_eq!(reference("x").vault_name(), "Keys");
    }

    #[test]
    fn other_shapes_are_none() {
        for url in [
            "http://keys.vault.azure.net/secrets/a",
            "https://keys.vault.azure.net/keys/a",
            "https://keys.vault.azure.net/secrets",
            "https://keys.vault.azure.net/secrets/",
            "https://keys.vault.azure.net/secrets/..",
            "https://keys.vault.azure.net/secrets/a/../b",
            "https://keys.vault.azure.net/secrets/-rf",
            "https://keys.vault.azure.net/secrets/a/b/c",
            "https://keys.vault.azure.net/secrets/a?x=1",
            "https://user@keys.vault.azure.net/secrets/a",
            "https:///secrets/a",
            "https://../secrets/a",
            "",
        ] {
            assert_eq!(secret(url), None, "{url}");
        }
    }
}
