//! Volumes of clusters and jobs.

use trainyard_domain::resource_id::{ResourceId, file_server_id};
use trainyard_domain::spec::{
    AzureBlobFileSystemReference, AzureFileShareReference, FileServerReference, MountVolumes, SecretSource,
    UnmanagedFileSystemReference,
};

use super::common::{key, with_secret};
use crate::body::{Object, Read};
use crate::out::Out;

const MODE: &str = "0777";

/// Reads `mountVolumes`; one that mounts nothing is none.
pub fn mounts(parent: &Object<'_>) -> Read<Option<MountVolumes>> {
    let Some(mounts) = parent.object("mountVolumes")? else {
        return Ok(None);
    };
    let mounts = MountVolumes {
        azure_file_shares: mounts.list("azureFileShares", share)?,
        azure_blob_file_systems: mounts.list("azureBlobFileSystems", container)?,
        file_servers: mounts.list("fileServers", file_server)?,
        unmanaged_file_systems: mounts.list("unmanagedFileSystems", unmanaged)?,
    };
    Ok(Some(mounts).filter(|mounts| !mounts.is_empty()))
}

fn credentials(parent: &Object<'_>) -> Read<SecretSource> {
    key(&parent.need_object("credentials")?, "accountKey")
}

fn share(share: Object<'_>) -> Read<AzureFileShareReference> {
    Ok(AzureFileShareReference {
        account_name: share.need_text("accountName")?,
        azure_file_url: share.need_text("azureFileUrl")?,
        credentials: credentials(&share)?,
        relative_mount_path: share.need_text("relativeMountPath")?,
        file_mode: share.text("fileMode")?.unwrap_or_else(|| MODE.to_owned()),
        directory_mode: share.text("directoryMode")?.unwrap_or_else(|| MODE.to_owned()),
    })
}

fn container(blob: Object<'_>) -> Read<AzureBlobFileSystemReference> {
    Ok(AzureBlobFileSystemReference {
        account_name: blob.need_text("accountName")?,
        container_name: blob.need_text("containerName")?,
        credentials: credentials(&blob)?,
        relative_mount_path: blob.need_text("relativeMountPath")?,
        mount_options: blob.text("mountOptions")?,
    })
}

fn file_server(server: Object<'_>) -> Read<FileServerReference> {
    let id = server.need_id("fileServer")?;
    Ok(FileServerReference {
        file_server: plain_file_server_id(id)?,
        source_directory: server.text("sourceDirectory")?,
        relative_mount_path: server.need_text("relativeMountPath")?,
        mount_options: server.text("mountOptions")?,
    })
}

/// The id as this service writes it, so that different spellings are the same wish.
fn plain_file_server_id(id: ResourceId) -> Read<ResourceId> {
    match id.file_server() {
        None => Ok(id),
        Some(path) => {
            let text = file_server_id(&path.scope, &path.workspace, &path.name);
            Ok(ResourceId::new(&text, "id")?)
        }
    }
}

fn unmanaged(system: Object<'_>) -> Read<UnmanagedFileSystemReference> {
    Ok(UnmanagedFileSystemReference {
        mount_command: system.need_text("mountCommand")?,
        relative_mount_path: system.need_text("relativeMountPath")?,
    })
}

/// Writes `mountVolumes`.
pub fn mounts_out(mounts: &MountVolumes) -> Out {
    let credentials = |source: &SecretSource| with_secret(Out::new(), "accountKey", source);
    Out::new()
        .list("azureFileShares", &mounts.azure_file_shares, |share| {
            Out::new()
                .with("accountName", share.account_name.as_str())
                .with("azureFileUrl", share.azure_file_url.as_str())
                .with("credentials", credentials(&share.credentials))
                .with("relativeMountPath", share.relative_mount_path.as_str())
                .with("fileMode", share.file_mode.as_str())
                .with("directoryMode", share.directory_mode.as_str())
                .into()
        })
        .list("azureBlobFileSystems", &mounts.azure_blob_file_systems, |blob| {
            Out::new()
                .with("accountName", blob.account_name.as_str())
                .with("containerName", blob.container_name.as_str())
                .with("credentials", credentials(&blob.credentials))
                .with("relativeMountPath", blob.relative_mount_path.as_str())
                .maybe("mountOptions", blob.mount_options.as_deref())
                .into()
        })
        .list("fileServers", &mounts.file_servers, |server| {
            Out::new()
                .id("fileServer", &server.file_server)
                .maybe("sourceDirectory", server.source_directory.as_deref())
                .with("relativeMountPath", server.relative_mount_path.as_str())
                .maybe("mountOptions", server.mount_options.as_deref())
                .into()
        })
        .list("unmanagedFileSystems", &mounts.unmanaged_file_systems, |system| {
            Out::new()
                .with("mountCommand", system.mount_command.as_str())
                .with("relativeMountPath", system.relative_mount_path.as_str())
                .into()
        })
}
