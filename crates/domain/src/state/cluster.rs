//! State of a cluster.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::resource_id::{GroupPath, ResourceId};
use crate::spec::ClusterSpec;
use crate::state::{BatchAiError, Meta};

/// A cluster with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// What every resource has.
    pub meta: Meta,
    /// Where it is.
    pub scope: GroupPath,
    /// Its workspace.
    pub workspace: Name,
    /// The wish.
    pub spec: ClusterSpec,
    /// What is known of it.
    pub status: ClusterStatus,
    /// Its nodes by state.
    pub counts: NodeStateCounts,
}

/// What is known of a cluster beside its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Whether the number of nodes is changing.
    pub allocation: Allocation,
    /// When that changed.
    pub allocation_since: Timestamp,
    /// Nodes wanted now. Manual: the target; auto-scale: by load.
    pub wanted_nodes: u32,
    /// Why fewer nodes than wanted are held, if so.
    pub shortage: Option<BatchAiError>,
    /// Last part of the setup task's output path, `{sub}/{rg}/workspaces/{ws}/clusters/{cluster}/{uuid}`.
    pub std_out_err_path_suffix: String,
    /// Number of the last node made.
    pub last_node_number: u32,
    /// The subnet of the file server that it mounts, if the wish names none itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<ResourceId>,
}

/// Whether the number of nodes is changing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Allocation {
    /// It stays.
    Steady,
    /// Nodes come or go.
    Resizing,
}

impl Allocation {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Allocation::Steady => "steady",
            Allocation::Resizing => "resizing",
        }
    }
}

/// Nodes of a cluster by state; `total` is `currentNodeCount` (behaviour.md section 2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeStateCounts {
    /// Ready, no job.
    pub idle: u32,
    /// With a job.
    pub running: u32,
    /// Being set up.
    pub preparing: u32,
    /// Setup failed.
    pub unusable: u32,
    /// Going away.
    pub leaving: u32,
}

impl NodeStateCounts {
    /// All of them.
    pub fn total(self) -> u32 {
        self.idle + self.running + self.preparing + self.unusable + self.leaving
    }
}

/// Errors as shown on a cluster: those of its nodes and the reason for a shortage.
pub fn cluster_errors(
    status: &ClusterStatus,
    nodes: impl IntoIterator<Item = BatchAiError>,
) -> Vec<BatchAiError> {
    status.shortage.clone().into_iter().chain(nodes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_stored_before_there_were_subnets_is_read() {
        let stored = r#"{"allocation": "steady", "allocationSince": "2026-03-04T05:06:07Z", "wantedNodes": 1,
            "shortage": null, "stdOutErrPathSuffix": "s", "lastNodeNumber": 2}"#;
        let status: ClusterStatus = serde_json::from_str(stored).unwrap();
        assert_eq!((status.last_node_number, status.subnet), (2, None));
    }
}
