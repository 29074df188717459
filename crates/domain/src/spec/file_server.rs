//! The wish of a file server.

use serde::{Deserialize, Serialize};

use crate::resource_id::ResourceId;
use crate::secret::Secret;
use crate::spec::flat::is_nothing;
use crate::spec::{FlatFileServer, Secrets, UserAccountSettings};

/// What a user asks of a file server (api.md, FileServerBaseProperties).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileServerSpec {
    /// VM size.
    pub vm_size: String,
    /// Who may log in and from where.
    pub ssh_configuration: SshConfiguration,
    /// Disks.
    pub data_disks: DataDisks,
    /// Subnet to join.
    pub subnet: Option<ResourceId>,
    /// What only the flat api-versions can say.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub flat: FlatFileServer,
}

/// Who may log in to a file server, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SshConfiguration {
    /// Source ranges; `None` is all.
    pub public_ips_to_allow: Option<Vec<String>>,
    /// The admin account.
    pub user_account_settings: UserAccountSettings,
}

/// Disks of a file server; several are striped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataDisks {
    /// Size of each, in GB, at least 1.
    pub disk_size_in_gb: i32,
    /// Host caching.
    pub caching_type: CachingType,
    /// How many, at least 1.
    pub disk_count: i32,
    /// `Standard_LRS` or `Premium_LRS`.
    pub storage_account_type: String,
}

/// Host caching of a disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CachingType {
    /// None; the default.
    #[default]
    None,
    /// Reads.
    ReadOnly,
    /// Reads and writes.
    ReadWrite,
}

impl Secrets for FileServerSpec {
    fn secrets(&mut self, visit: &mut dyn FnMut(String, &mut Secret)) {
        self.ssh_configuration
            .user_account_settings
            .visit_secrets("sshConfiguration.userAccountSettings", visit);
    }
}
