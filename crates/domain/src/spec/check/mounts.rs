//! Rules of volumes.

use crate::invalid::Invalid;
use crate::name::excerpt;
use crate::spec::{
    AzureBlobFileSystemReference, AzureFileShareReference, FileServerReference, MountVolumes,
    UnmanagedFileSystemReference,
};

use super::{Checked, words};

impl AzureFileShareReference {
    /// The share's name in `azureFileUrl`: the one segment of an https URL's path.
    pub fn share(&self) -> Option<&str> {
        let (scheme, rest) = self.azure_file_url.split_once("://")?;
        let (host, path) = rest.split_once('/')?;
        let share = path.strip_suffix('/').unwrap_or(path);
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let well = scheme.eq_ignore_ascii_case("https")
            && !host.is_empty()
            && host.chars().all(legal)
            && words::is_share_name(share);
        well.then_some(share)
    }
}

impl MountVolumes {
    /// Checks the volumes of one level, a cluster's or a job's: each for itself, and that none is mounted
    /// at or beneath the place of another.
    pub fn check(&self) -> Checked {
        words::list("azureFileShares", &self.azure_file_shares, share)?;
        words::list("azureBlobFileSystems", &self.azure_blob_file_systems, container)?;
        words::list("fileServers", &self.file_servers, file_server)?;
        words::list("unmanagedFileSystems", &self.unmanaged_file_systems, unmanaged)?;
        apart(self.relative_paths())
    }
}

fn share(at: &str, share: &AzureFileShareReference) -> Checked {
    let at = |member: &str| format!("{at}.{member}");
    words::share_name(&at("accountName"), &share.account_name)?;
    words::text(&at("azureFileUrl"), &share.azure_file_url)?;
    if share.share().is_none() {
        // The URL is not repeated: it may carry a signature.
        let message =
            "This is not the URL of a share. Write one such as https://account.file.core.windows.net/share.";
        return Err(Invalid::new(at("azureFileUrl"), message));
    }
    words::source(&at("credentials"), "accountKey", &share.credentials)?;
    words::mount_path(&at("relativeMountPath"), &share.relative_mount_path)?;
    mode(&at("fileMode"), &share.file_mode)?;
    mode(&at("directoryMode"), &share.directory_mode)
}

fn mode(at: &str, mode: &str) -> Checked {
    if (3..=4).contains(&mode.len()) && mode.chars().all(|c| ('0'..='7').contains(&c)) {
        return Ok(());
    }
    let message = format!("'{}' is no octal mode. Write one such as 0777.", excerpt(mode));
    Err(Invalid::new(at, message))
}

fn container(at: &str, blob: &AzureBlobFileSystemReference) -> Checked {
    let at = |member: &str| format!("{at}.{member}");
    words::share_name(&at("accountName"), &blob.account_name)?;
    words::share_name(&at("containerName"), &blob.container_name)?;
    words::source(&at("credentials"), "accountKey", &blob.credentials)?;
    words::mount_path(&at("relativeMountPath"), &blob.relative_mount_path)?;
    words::optional(&at("mountOptions"), blob.mount_options.as_deref())
}

fn file_server(at: &str, server: &FileServerReference) -> Checked {
    let at = |member: &str| format!("{at}.{member}");
    if server.file_server.file_server().is_none() && server.file_server.flat_file_server().is_none() {
        let message = format!(
            "'{}' is not the id of a file server. Write one that ends in /workspaces/…/fileServers/….",
            excerpt(server.file_server.as_str())
        );
        return Err(Invalid::new(at("fileServer.id"), message));
    }
    if let Some(directory) = &server.source_directory {
        words::inside(&at("sourceDirectory"), directory)?;
    }
    words::mount_path(&at("relativeMountPath"), &server.relative_mount_path)?;
    words::optional(&at("mountOptions"), server.mount_options.as_deref())
}

fn unmanaged(at: &str, system: &UnmanagedFileSystemReference) -> Checked {
    words::required(&format!("{at}.mountCommand"), &system.mount_command)?;
    words::mount_path(&format!("{at}.relativeMountPath"), &system.relative_mount_path)
}

/// No path is another one or lies inside it. Sorted by segments, one that holds others comes right before
/// the first of them.
fn apart(paths: Vec<(String, &str)>) -> Checked {
    let mut sorted: Vec<(Vec<&str>, &String)> = paths
        .iter()
        .map(|(at, path)| (path.split('/').collect(), at))
        .collect();
    sorted.sort();
    for pair in sorted.windows(2) {
        let ((outer, outer_at), (inner, at)) = (&pair[0], &pair[1]);
        if inner.starts_with(outer) {
            let message = format!(
                "'{}' is, or lies inside, the path of {outer_at}. Mount each volume at a place of its own.",
                excerpt(&inner.join("/"))
            );
            return Err(Invalid::new(at.as_str(), message));
        }
    }
    Ok(())
}
