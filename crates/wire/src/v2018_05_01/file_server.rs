//! File servers.

use serde_json::Value;
use trainyard_domain::resource_id::file_server_id;
use trainyard_domain::spec::{CachingType, DataDisks, FileServerSpec, FlatFileServer, SshConfiguration};
use trainyard_domain::state::FileServer;

use super::common::{account, account_out, resource};
use super::properties;
use crate::body::{BadBody, Object, Read};
use crate::out::Out;
use crate::time;

const CACHING: [(&str, CachingType); 3] = [
    ("none", CachingType::None),
    ("readonly", CachingType::ReadOnly),
    ("readwrite", CachingType::ReadWrite),
];

/// Reads the body of a file server's PUT.
pub fn file_server_create(body: &[u8]) -> Result<FileServerSpec, BadBody> {
    properties(body, read, FileServerSpec::check)
}

/// Reads the `properties` of a file server.
pub fn read(properties: &Object<'_>) -> Read<FileServerSpec> {
    let vm_size = properties.need_text("vmSize")?;
    let ssh = properties.need_object("sshConfiguration")?;
    let disks = properties.need_object("dataDisks")?;
    Ok(FileServerSpec {
        vm_size,
        ssh_configuration: SshConfiguration {
            public_ips_to_allow: ssh.texts("publicIPsToAllow")?,
            user_account_settings: account(&ssh)?,
        },
        data_disks: DataDisks {
            disk_size_in_gb: disks.need_int32("diskSizeInGB")?,
            caching_type: disks.choice("cachingType", &CACHING)?.unwrap_or_default(),
            disk_count: disks.need_int32("diskCount")?,
            storage_account_type: disks.need_text("storageAccountType")?,
        },
        subnet: properties.id("subnet")?,
        flat: FlatFileServer::default(),
    })
}

/// Writes a file server.
pub fn file_server(server: &FileServer) -> Value {
    let (meta, spec) = (&server.meta, &server.spec);
    let ssh = &spec.ssh_configuration;
    let disks = &spec.data_disks;
    let caching = match disks.caching_type {
        CachingType::None => "none",
        CachingType::ReadOnly => "readonly",
        CachingType::ReadWrite => "readwrite",
    };
    let mut properties = Out::new()
        .with("provisioningState", meta.provisioning.as_str())
        .with("creationTime", time::timestamp(meta.created))
        .with(
            "provisioningStateTransitionTime",
            time::timestamp(meta.provisioning_since),
        )
        .with("vmSize", spec.vm_size.as_str())
        .with(
            "sshConfiguration",
            Out::new()
                .maybe("publicIPsToAllow", ssh.public_ips_to_allow.clone())
                .with("userAccountSettings", account_out(&ssh.user_account_settings)),
        )
        .with(
            "dataDisks",
            Out::new()
                .with("diskSizeInGB", disks.disk_size_in_gb)
                .with("cachingType", caching)
                .with("diskCount", disks.disk_count)
                .with("storageAccountType", disks.storage_account_type.as_str()),
        );
    if let Some(subnet) = server.subnet() {
        properties = properties.id("subnet", subnet);
    }
    let mount = server.mount_settings.as_ref().map(|mount| {
        Out::new()
            .with("mountPoint", mount.mount_point.as_str())
            .with("fileServerPublicIP", mount.public_ip.as_str())
            .with("fileServerInternalIP", mount.internal_ip.as_str())
    });
    let id = file_server_id(&server.scope, &server.workspace, &meta.name);
    resource(id, meta, "workspaces/fileservers")
        .with("properties", properties.maybe("mountSettings", mount))
        .into()
}
