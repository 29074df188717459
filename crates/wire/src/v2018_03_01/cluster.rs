//! Clusters.

use serde_json::{Map, Value};
use trainyard_domain::migrated;
use trainyard_domain::resource_id::flat_cluster_id;
use trainyard_domain::spec::{ClusterSpec, FlatCluster, Scale, check_tags};
use trainyard_domain::state::{BatchAiError, Cluster, Tags};

use crate::body::{BadBody, Object, Read, json};
use crate::flat::{self, ClusterUpdate, Located, Member};
use crate::v2018_05_01 as newer;

const ACCOUNT: Member = &["properties", "userAccountSettings"];
const SETUP_TASK: Member = &["properties", "nodeSetup", "setupTask"];
const SERVERS: Member = &[
    "properties",
    "nodeSetup",
    "mountVolumes",
    "fileServers",
    "*",
    "fileServer",
];

/// Reads the body of a cluster's PUT.
pub fn cluster_create(body: &[u8]) -> Result<Located<ClusterSpec>, BadBody> {
    create(json(body)?, &[])
}

/// Reads one that is JSON already, without the `unknown` members.
pub fn create(body: Value, unknown: &[Member]) -> Read<Located<ClusterSpec>> {
    flat::create(body, unknown, |body, tags| {
        let read = |properties: &Object<'_>| {
            let setup = properties
                .object_or_absent("nodeSetup")?
                .object_or_absent("setupTask")?;
            let flat = FlatCluster {
                tags,
                run_elevated: setup.flag("runElevated")?.unwrap_or(false),
            };
            Ok(ClusterSpec {
                flat,
                ..newer::read_cluster(properties)?
            })
        };
        newer::properties_of(body, read, ClusterSpec::check)
    })
}

/// Reads the body of a cluster's PATCH.
pub fn cluster_update(body: &[u8]) -> Result<ClusterUpdate, BadBody> {
    let value = json(body)?;
    let body = Object::root(&value)?;
    let tags: Option<Tags> = body.text_map("tags")?;
    if let Some(tags) = &tags {
        check_tags(tags)?;
    }
    let check = |scale: &Option<Scale>| scale.as_ref().map_or(Ok(()), Scale::check);
    let scale = newer::properties_of(&body, newer::read_scale, check)?;
    Ok(ClusterUpdate { scale, tags })
}

/// Writes a cluster with the errors of its nodes and of its allocation.
pub fn cluster(cluster: &Cluster, errors: &[BatchAiError]) -> Value {
    let mut out = newer::cluster(cluster, errors);
    flat::at(&mut out, ACCOUNT, &mut public_key);
    flat::at(&mut out, SERVERS, &mut flat::flatten_id);
    flat::at(&mut out, SETUP_TASK, &mut |task| {
        task.insert("runElevated".to_owned(), cluster.spec.flat.run_elevated.into());
    });
    flat::resource(
        &mut out,
        flat_cluster_id(&cluster.scope, &cluster.meta.name),
        "Clusters",
        migrated::region_of(&cluster.workspace).as_ref(),
        &cluster.spec.flat.tags,
    );
    out
}

/// The key of the admin account has another spelling in answers of this version (api.md section 5).
pub(super) fn public_key(account: &mut Map<String, Value>) {
    flat::replace(account, "adminUserSshPublicKey", "adminUserSSHPublicKey", |key| {
        key
    });
}
