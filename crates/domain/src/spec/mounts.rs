//! Volumes of a cluster or a job.

use serde::{Deserialize, Serialize};

use crate::resource_id::ResourceId;
use crate::secret::Secret;
use crate::spec::SecretSource;

/// Volumes to mount, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MountVolumes {
    /// Azure file shares.
    pub azure_file_shares: Vec<AzureFileShareReference>,
    /// Azure blob containers.
    pub azure_blob_file_systems: Vec<AzureBlobFileSystemReference>,
    /// File servers of this service.
    pub file_servers: Vec<FileServerReference>,
    /// Anything else, by a mount command of the user's.
    pub unmanaged_file_systems: Vec<UnmanagedFileSystemReference>,
}

/// An Azure file share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureFileShareReference {
    /// The storage account.
    pub account_name: String,
    /// `https://{account}.file.core.windows.net/{share}`.
    pub azure_file_url: String,
    /// The account's key.
    pub credentials: SecretSource,
    /// Where it appears beneath the mount root.
    pub relative_mount_path: String,
    /// Mode of files, octal; `0777` when not given.
    pub file_mode: String,
    /// Mode of directories, octal; `0777` when not given.
    pub directory_mode: String,
}

/// An Azure blob container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AzureBlobFileSystemReference {
    /// The storage account.
    pub account_name: String,
    /// The container.
    pub container_name: String,
    /// The account's key.
    pub credentials: SecretSource,
    /// Where it appears beneath the mount root.
    pub relative_mount_path: String,
    /// Options of the mount.
    pub mount_options: Option<String>,
}

/// A file server of this service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileServerReference {
    /// Its id.
    pub file_server: ResourceId,
    /// Which directory of it; all of it when not given.
    pub source_directory: Option<String>,
    /// Where it appears beneath the mount root.
    pub relative_mount_path: String,
    /// Options of the mount.
    pub mount_options: Option<String>,
}

/// A file system mounted by the user's own command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnmanagedFileSystemReference {
    /// The command; the mount path is put behind it.
    pub mount_command: String,
    /// Where it appears beneath the mount root.
    pub relative_mount_path: String,
}

impl MountVolumes {
    /// Whether nothing is mounted.
    pub fn is_empty(&self) -> bool {
        self.azure_file_shares.is_empty()
            && self.azure_blob_file_systems.is_empty()
            && self.file_servers.is_empty()
            && self.unmanaged_file_systems.is_empty()
    }

    /// Every relative mount path with the member it comes from.
    pub fn relative_paths(&self) -> Vec<(String, &str)> {
        let shares = self
            .azure_file_shares
            .iter()
            .map(|m| ("azureFileShares", &m.relative_mount_path));
        let blobs = self
            .azure_blob_file_systems
            .iter()
            .map(|m| ("azureBlobFileSystems", &m.relative_mount_path));
        let servers = self
            .file_servers
            .iter()
            .map(|m| ("fileServers", &m.relative_mount_path));
        let unmanaged = self
            .unmanaged_file_systems
            .iter()
            .map(|m| ("unmanagedFileSystems", &m.relative_mount_path));
        let mut index = std::collections::BTreeMap::new();
        shares
            .chain(blobs)
            .chain(servers)
            .chain(unmanaged)
            .map(|(kind, path)| {
                let i = index.entry(kind).or_insert(0usize);
                *i += 1;
                (format!("{kind}[{}].relativeMountPath", *i - 1), path.as_str())
            })
            .collect()
    }

    pub(super) fn visit_secrets(&mut self, at: &str, visit: &mut dyn FnMut(String, &mut Secret)) {
        for (i, share) in self.azure_file_shares.iter_mut().enumerate() {
            share
                .credentials
                .visit(|| format!("{at}.azureFileShares[{i}].credentials"), visit);
        }
        for (i, blob) in self.azure_blob_file_systems.iter_mut().enumerate() {
            blob.credentials
                .visit(|| format!("{at}.azureBlobFileSystems[{i}].credentials"), visit);
        }
    }
}
