//! Clusters.

use serde_json::Value;
use trainyard_domain::spec::ClusterSpec;
use trainyard_domain::state::{BatchAiError, Cluster};

use super::{early_credentials, early_variables};
use crate::body::{BadBody, json};
use crate::flat::{self, Located, Member};
use crate::v2018_03_01 as newer;

/// Members that this version does not know, beside those of the newer one.
const UNKNOWN: &[Member] = &[
    &["properties", "nodeSetup", "performanceCountersSettings"],
    &["properties", "nodeSetup", "setupTask", "secrets"],
    &["properties", "nodeSetup", "setupTask", "stdOutErrPathSuffix"],
    &[
        "properties",
        "virtualMachineConfiguration",
        "imageReference",
        "virtualMachineImageId",
    ],
];

const VOLUMES: &[Member] = &[
    &["properties", "nodeSetup", "mountVolumes", "azureFileShares", "*"],
    &[
        "properties",
        "nodeSetup",
        "mountVolumes",
        "azureBlobFileSystems",
        "*",
    ],
];
const VARIABLES: Member = &[
    "properties",
    "nodeSetup",
    "setupTask",
    "environmentVariables",
    "*",
];

/// Reads the body of a cluster's PUT.
pub fn cluster_create(body: &[u8]) -> Result<Located<ClusterSpec>, BadBody> {
    let mut value = json(body)?;
    early_credentials(&mut value, VOLUMES);
    early_variables(&mut value, VARIABLES);
    newer::read_cluster(value, UNKNOWN)
}

/// Writes a cluster with the errors of its nodes and of its allocation.
pub fn cluster(cluster: &Cluster, errors: &[BatchAiError]) -> Value {
    let mut out = newer::cluster(cluster, errors);
    flat::cut(&mut out, UNKNOWN);
    out
}
