//! What users ask for: the wish of each resource, whole and normalised.
//!
//! Every member that the service specifies is here, whether this version acts on it or not; defaults are
//! filled in (api.md section 6), so two specs are equal exactly when the wishes are.

mod check;
mod cluster;
mod file_server;
mod flat;
mod job;
mod mounts;
mod toolkit;
mod vault;

pub use check::{Checked, check_tags};
pub use cluster::*;
pub use file_server::*;
pub use flat::*;
pub use job::*;
pub use mounts::*;
use serde::{Deserialize, Serialize};
pub use toolkit::*;
pub use vault::*;

use crate::secret::Secret;

/// A secret given in clear or by reference to a vault; exactly one of the two (behaviour.md section 13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretSource {
    /// In clear; sealed at rest and never returned.
    Value(Secret),
    /// In a key vault.
    Vault(KeyVaultSecretReference),
}

/// A plain environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: String,
    /// Its value; may use `$AZ_BATCHAI_…` variables.
    pub value: String,
}

/// An environment variable whose value is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretVariable {
    /// Its name; the only part that is ever returned.
    pub name: String,
    /// Where the value is.
    pub value: SecretSource,
}

/// A spec that may hold secrets: the store seals them apart from the rest.
pub trait Secrets {
    /// Shows every secret in clear, with a path that is unique within the spec and stable over versions.
    fn secrets(&mut self, visit: &mut dyn FnMut(String, &mut Secret));
}

impl SecretSource {
    fn visit(&mut self, path: impl FnOnce() -> String, visit: &mut dyn FnMut(String, &mut Secret)) {
        match self {
            SecretSource::Value(secret) => visit(path(), secret),
            SecretSource::Vault(_) => {}
        }
    }
}

fn visit_variables(variables: &mut [SecretVariable], at: &str, visit: &mut dyn FnMut(String, &mut Secret)) {
    for (i, variable) in variables.iter_mut().enumerate() {
        variable.value.visit(|| format!("{at}[{i}].value"), visit);
    }
}
