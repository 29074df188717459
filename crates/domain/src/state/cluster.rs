//! State of a cluster.

use jiff::{SignedDuration, Timestamp};
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
    /// Its last nodes were lost before they were ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setback: Option<Setback>,
}

/// Nodes were lost before they were ready, and none has become ready since. Whatever ended them may end the next one too:
/// it comes after a pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Setback {
    /// How often; those that are lost within one pause count once.
    pub times: u32,
    /// No node is allocated before.
    pub until: Timestamp,
    /// Why the last one was lost, as shown.
    pub error: BatchAiError,
}

impl Setback {
    /// The first pause; each is twice as long as the one before.
    const FIRST: SignedDuration = SignedDuration::from_secs(1);
    /// The longest pause, as a power of two of the first.
    const MOST_DOUBLINGS: u32 = 7;

    /// One more node is lost, after what was before.
    pub fn after(before: Option<&Setback>, error: BatchAiError, now: Timestamp) -> Setback {
        let times = before.map_or(0, |before| before.times);
        match before {
            Some(before) if now < before.until => Setback {
                error,
                ..before.clone()
            },
            Some(_) | None => Setback {
                times: times.saturating_add(1),
                until: now + Setback::FIRST * (1 << times.min(Setback::MOST_DOUBLINGS)),
                error,
            },
        }
    }
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

/// Errors as shown on a cluster: those of its nodes, the reason for a shortage, and why its last nodes were lost.
pub fn cluster_errors(
    status: &ClusterStatus,
    nodes: impl IntoIterator<Item = BatchAiError>,
) -> Vec<BatchAiError> {
    let setback = status.setback.as_ref().map(|setback| setback.error.clone());
    let own = status.shortage.clone().into_iter().chain(setback);
    own.chain(nodes).collect()
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
        assert_eq!(status.setback, None);
    }

    #[test]
    fn each_pause_is_twice_as_long_as_the_one_before_up_to_two_minutes() {
        let error = |n: i64| BatchAiError::new("InternalError", n.to_string());
        let (mut now, mut setback, mut pauses) = (Timestamp::UNIX_EPOCH, None, Vec::new());
        for n in 0..10 {
            let next = Setback::after(setback.as_ref(), error(n), now);
            let again = Setback::after(Some(&next), error(-n), now);
            assert_eq!(
                (again.times, again.until),
                (next.times, next.until),
                "within the pause"
            );
            assert_eq!(again.error, error(-n), "the latest reason is shown");
            pauses.push(next.until.duration_since(now).as_secs());
            now = next.until;
            setback = Some(next);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 128, 128]);
    }
}
