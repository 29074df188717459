//! State of a node.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{GpuId, PlacementId, Uid};
use crate::spec::VmPriority;
use crate::state::{BatchAiError, NodeStateCounts};

/// A node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its identity.
    pub uid: Uid,
    /// Its cluster.
    pub cluster: Uid,
    /// Its id as users see it, see [`node_name`].
    pub name: String,
    /// Its own address.
    pub address: Ipv4Addr,
    /// What is known of it.
    pub status: NodeStatus,
}

/// What is known of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// What it does.
    pub phase: NodePhase,
    /// Since when.
    pub since: Timestamp,
    /// The attempt that holds it, from placement until nothing of it is left.
    pub placement: Option<PlacementId>,
    /// It goes away: at once when it holds no attempt, else after it.
    pub leaving: bool,
    /// Why it is unusable.
    pub errors: Vec<BatchAiError>,
    /// GPUs that are its own from allocation until its row goes; rows of before they were given out have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<GpuId>,
}

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodePhase {
    /// Mounts and setup task.
    Preparing,
    /// Can take jobs.
    Ready,
    /// Setup failed, or a volume of the cluster died and could not be mounted again; it stays until the cluster is
    /// scaled below it.
    Unusable,
}

/// What happens to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// Setup went well.
    Ready,
    /// Setup failed; of a node that was ready, what was set up does not hold any more.
    SetupFailed(Vec<BatchAiError>),
    /// An attempt takes it.
    Placed(PlacementId),
    /// Nothing of the attempt is left.
    Released(PlacementId),
    /// It is to go away.
    Leave,
}

/// The event does not fit the state: a repeated or late report, which is harmless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event does not fit the state of the node")]
pub struct NodeRefusal;

impl NodeStatus {
    /// A node that has just been allocated.
    pub fn new(now: Timestamp) -> NodeStatus {
        NodeStatus {
            phase: NodePhase::Preparing,
            since: now,
            placement: None,
            leaving: false,
            errors: Vec::new(),
            gpus: Vec::new(),
        }
    }

    /// Whether a job may be placed on it.
    pub fn is_idle(&self) -> bool {
        self.phase == NodePhase::Ready && self.placement.is_none() && !self.leaving
    }

    /// Whether it can be taken away now.
    pub fn may_go(&self) -> bool {
        self.leaving && self.placement.is_none()
    }

    /// The state after an event.
    pub fn apply(&self, event: NodeEvent, now: Timestamp) -> Result<NodeStatus, NodeRefusal> {
        let mut next = self.clone();
        next.since = now;
        match (self.phase, event) {
            (NodePhase::Preparing, NodeEvent::Ready) => next.phase = NodePhase::Ready,
            (NodePhase::Preparing | NodePhase::Ready, NodeEvent::SetupFailed(errors)) => {
                next.phase = NodePhase::Unusable;
                next.errors = errors;
            }
            (NodePhase::Ready, NodeEvent::Placed(id)) if self.is_idle() => next.placement = Some(id),
            (NodePhase::Ready | NodePhase::Unusable, NodeEvent::Released(id))
                if self.placement == Some(id) =>
            {
                next.placement = None
            }
            (NodePhase::Preparing | NodePhase::Ready | NodePhase::Unusable, NodeEvent::Leave)
                if !self.leaving =>
            {
                next.leaving = true;
            }
            (
                NodePhase::Preparing | NodePhase::Ready | NodePhase::Unusable,
                NodeEvent::Ready
                | NodeEvent::SetupFailed(_)
                | NodeEvent::Placed(_)
                | NodeEvent::Released(_)
                | NodeEvent::Leave,
            ) => return Err(NodeRefusal),
        }
        Ok(next)
    }

    /// Adds this node to counts by state (behaviour.md section 2).
    pub fn count(&self, counts: &mut NodeStateCounts) {
        let slot = match (self.leaving, self.phase, self.placement) {
            (true, _, _) => &mut counts.leaving,
            (false, NodePhase::Preparing, _) => &mut counts.preparing,
            (false, NodePhase::Unusable, _) => &mut counts.unusable,
            (false, NodePhase::Ready, Some(_)) => &mut counts.running,
            (false, NodePhase::Ready, None) => &mut counts.idle,
        };
        *slot += 1;
    }
}

/// A node's id as users see it: `tvm-{pool}_{n}-{yyyymmddthhmmssz}`, with `-p` behind it when it may be
/// pre-empted (behaviour.md section 2).
pub fn node_name(cluster: Uid, number: u32, created: Timestamp, priority: VmPriority) -> String {
    let pool = (cluster.0 as u64 ^ (cluster.0 as u64 >> 31)) % 2_000_000_000;
    let time = created.strftime("%Y%m%dt%H%M%Sz");
    let suffix = match priority {
        VmPriority::Dedicated => "",
        VmPriority::LowPriority => "-p",
    };
    format!("tvm-{pool}_{number}-{time}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Attempt;
    use crate::stored;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_node_serves_one_attempt_at_a_time_and_leaves_after_it() {
        let id = PlacementId {
            job: Uid(1),
            attempt: Attempt(1),
        };
        let other = PlacementId {
            job: Uid(2),
            attempt: Attempt(1),
        };
        let fresh = NodeStatus::new(NOW);
        assert_eq!(fresh.apply(NodeEvent::Placed(id), NOW), Err(NodeRefusal));
        let ready = fresh.apply(NodeEvent::Ready, NOW).unwrap();
        let busy = ready.apply(NodeEvent::Placed(id), NOW).unwrap();
        assert_eq!(busy.apply(NodeEvent::Placed(other), NOW), Err(NodeRefusal));
        let leaving = busy.apply(NodeEvent::Leave, NOW).unwrap();
        assert!(!leaving.may_go());
        assert_eq!(leaving.apply(NodeEvent::Released(other), NOW), Err(NodeRefusal));
        assert!(leaving.apply(NodeEvent::Released(id), NOW).unwrap().may_go());
    }

    #[test]
    fn a_node_that_was_ready_and_is_unusable_still_gives_back_its_attempt() {
        let id = PlacementId {
            job: Uid(1),
            attempt: Attempt(1),
        };
        let ready = NodeStatus::new(NOW).apply(NodeEvent::Ready, NOW).unwrap();
        let busy = ready.apply(NodeEvent::Placed(id), NOW).unwrap();
        let errors = vec![BatchAiError::new("BFSMountError", "")];
        let broken = busy.apply(NodeEvent::SetupFailed(errors.clone()), NOW).unwrap();
        assert_eq!((broken.phase, &broken.errors), (NodePhase::Unusable, &errors));
        assert_eq!(broken.apply(NodeEvent::Ready, NOW), Err(NodeRefusal));
        let free = broken.apply(NodeEvent::Released(id), NOW).unwrap();
        assert_eq!(free.apply(NodeEvent::Placed(id), NOW), Err(NodeRefusal));
        assert_eq!(free.placement, None);
    }

    #[test]
    fn a_row_of_before_gpus_is_readable_and_one_with_gpus_comes_back() {
        let old = r#"{"v":1,"is":{"phase":"ready","since":"1970-01-01T00:00:00Z","placement":null,
            "leaving":false,"errors":[]}}"#;
        let ready = NodeStatus::new(NOW).apply(NodeEvent::Ready, NOW).unwrap();
        assert_eq!(stored::read::<NodeStatus>(old).unwrap(), ready);
        let gpus = vec![GpuId("GPU-b".to_owned()), GpuId("GPU-a".to_owned())];
        let with = NodeStatus { gpus, ..ready };
        let text = stored::write(&with).unwrap();
        assert_eq!(stored::read::<NodeStatus>(&text).unwrap(), with);
        let left = with.apply(NodeEvent::Leave, NOW).unwrap();
        assert_eq!(left.gpus, with.gpus, "a leaving node keeps its GPUs");
    }

    #[test]
    fn names_look_as_recorded() {
        let time: Timestamp = "2018-06-06T20:46:45Z".parse().unwrap();
        let name = node_name(Uid(171039672), 1, time, VmPriority::LowPriority);
        assert_eq!(name, "tvm-171039672_1-20180606t204645z-p");
    }
}
