//! What the planner sees of a cluster.

use jiff::Timestamp;
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::spec::Scale;
use trainyard_domain::state::{NodePhase, NodeStatus};

/// A cluster with its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// Its scale settings.
    pub scale: Scale,
    /// Its nodes, those on their way out included.
    pub nodes: Vec<NodeView>,
    /// Whether it never had a node: `initialNodeCount` counts then only.
    pub is_new: bool,
}

/// A node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// The node.
    pub uid: Uid,
    /// Since when it is in its state.
    pub since: Timestamp,
    /// What it does.
    pub state: NodeState,
    /// Whether it is marked to go away, at once or after its job.
    pub leaving: bool,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It is being set up.
    Preparing,
    /// It can take a job.
    Idle,
    /// It has a job.
    Busy {
        /// The job.
        job: Uid,
        /// Whether the job is on its way out already.
        stopping: bool,
    },
    /// Its setup failed.
    Unusable,
}

impl NodeView {
    /// A node as the store has it; `stopping` tells whether an attempt is on its way out.
    pub fn of(uid: Uid, status: &NodeStatus, stopping: impl FnOnce(PlacementId) -> bool) -> NodeView {
        let state = match (status.phase, status.placement) {
            (NodePhase::Preparing, _) => NodeState::Preparing,
            (NodePhase::Unusable, _) => NodeState::Unusable,
            (NodePhase::Ready, None) => NodeState::Idle,
            (NodePhase::Ready, Some(id)) => NodeState::Busy {
                job: id.job,
                stopping: stopping(id),
            },
        };
        NodeView {
            uid,
            since: status.since,
            state,
            leaving: status.leaving,
        }
    }
}

impl ClusterView {
    /// Nodes that are not on their way out.
    pub(crate) fn held(&self) -> impl Iterator<Item = &NodeView> {
        self.nodes.iter().filter(|node| !node.leaving)
    }

    /// How many nodes that are held are in such a state.
    pub(crate) fn count(&self, wanted: fn(&NodeState) -> bool) -> u32 {
        number(self.held().filter(|node| wanted(&node.state)).count())
    }

    /// How many unusable nodes are held. They count until the cluster is scaled below them (behaviour.md
    /// section 2).
    pub(crate) fn unusable(&self) -> u32 {
        self.count(|state| matches!(state, NodeState::Unusable))
    }

    /// The most nodes that one job can have, unless somebody changes the scale settings: unusable nodes
    /// take the place of good ones.
    pub fn possible(&self) -> u32 {
        self.scale.most().saturating_sub(self.unusable())
    }
}

/// A number of nodes.
pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
