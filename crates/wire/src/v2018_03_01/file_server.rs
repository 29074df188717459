//! File servers.

use serde_json::Value;
use trainyard_domain::migrated;
use trainyard_domain::resource_id::flat_file_server_id;
use trainyard_domain::spec::{FileServerSpec, FlatFileServer};
use trainyard_domain::state::FileServer;

use super::cluster::public_key;
use crate::body::{BadBody, Object, Read, json};
use crate::flat::{self, Located, Member};
use crate::v2018_05_01 as newer;

const ACCOUNT: Member = &["properties", "sshConfiguration", "userAccountSettings"];
const MOUNT_SETTINGS: Member = &["properties", "mountSettings"];

/// Reads the body of a file server's PUT.
pub fn file_server_create(body: &[u8]) -> Result<Located<FileServerSpec>, BadBody> {
    create(json(body)?, &[])
}

/// Reads one that is JSON already, without the `unknown` members.
pub fn create(body: Value, unknown: &[Member]) -> Read<Located<FileServerSpec>> {
    flat::create(body, unknown, |body, tags| {
        let read = |properties: &Object<'_>| {
            Ok(FileServerSpec {
                flat: FlatFileServer { tags },
                ..newer::read_file_server(properties)?
            })
        };
        newer::properties_of(body, read, FileServerSpec::check)
    })
}

/// Writes a file server. All are of the type `nfs`; the other one that is declared, `glusterfs`, was never seen.
pub fn file_server(server: &FileServer) -> Value {
    let mut out = newer::file_server(server);
    flat::at(&mut out, ACCOUNT, &mut public_key);
    flat::at(&mut out, MOUNT_SETTINGS, &mut |mount| {
        mount.insert("fileServerType".to_owned(), "nfs".into());
    });
    flat::resource(
        &mut out,
        flat_file_server_id(&server.scope, &server.meta.name),
        "FileServers",
        migrated::region_of(&server.workspace).as_ref(),
        &server.spec.flat.tags,
    );
    out
}
