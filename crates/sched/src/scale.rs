//! How many nodes a cluster should have, and which of them leave.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use trainyard_domain::ids::Uid;
use trainyard_domain::spec::{DeallocationOption, Scale};

use crate::reason::Nodes;
use crate::victims::busy_to_release;
use crate::view::{ClusterView, NodeState, NodeView, number};

/// Nodes that queued jobs need; see [`demand_of`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand(pub u32);

/// What may be set about scaling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long a node that auto-scale does not need stays idle before it is released.
    pub idle_time: SignedDuration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            idle_time: SignedDuration::from_secs(60),
        }
    }
}

/// How many more nodes the engine can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// That many.
    pub nodes: u32,
    /// Why not more, as a whole sentence.
    pub limit: String,
}

/// What to do about the nodes of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScalePlan {
    /// How many nodes are wanted.
    pub wanted: u32,
    /// How many to allocate now.
    pub allocate: u32,
    /// Nodes to be marked as leaving: those without a job go at once, the others after it.
    pub release: Vec<Uid>,
    /// Jobs on leaving nodes that are not waited for: to be queued again or ended, as the scale settings
    /// say. Empty with `waitforjobcompletion` and with auto-scale.
    pub stop: Vec<Uid>,
    /// When an idle node may become due, if nothing else happens before.
    pub look_again: Option<Timestamp>,
    /// Why fewer nodes than wanted are held, if so.
    pub shortage: Option<Shortage>,
}

/// Fewer nodes are held than wanted, since the engine can hold no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Nodes wanted.
    pub wanted: u32,
    /// Nodes held, with those to be allocated now.
    pub held: u32,
    /// Why not more.
    pub limit: String,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "The cluster wants {} and can have {} now. {}",
            Nodes(self.wanted),
            self.held,
            self.limit
        )
    }
}

/// The nodes that queued jobs need, given how many each of them needs: those that need more than the
/// cluster can have ([`ClusterView::possible`]) do not count, and it is never more than that.
pub fn demand_of(node_counts: impl IntoIterator<Item = u32>, possible: u32) -> Demand {
    let mut sum = 0;
    for count in node_counts.into_iter().filter(|count| *count <= possible) {
        sum = possible.min(sum + count);
        if sum == possible {
            break;
        }
    }
    Demand(sum)
}

/// What to do about the nodes of a cluster now (behaviour.md section 2).
///
/// By hand, nodes above the target leave at once, and those below it are allocated at once. Auto-scale
/// wants what running and queued jobs need, held within the bounds; unusable nodes come on top while there is
/// any need, so that they do not keep jobs waiting as long as there is room below the maximum. It releases
/// idle nodes only, one by one when each was idle for `policy.idle_time`; and unusable ones in the same way,
/// once nothing is needed any more.
pub fn scale(
    cluster: &ClusterView,
    queued: Demand,
    room: &Room,
    now: Timestamp,
    policy: &Policy,
) -> ScalePlan {
    let held = number(cluster.held().count());
    let wanted = wanted(cluster, queued);
    let mut plan = ScalePlan {
        wanted,
        ..ScalePlan::default()
    };
    if held < wanted {
        let missing = wanted - held;
        plan.allocate = missing.min(room.nodes);
        plan.shortage = (plan.allocate < missing).then(|| Shortage {
            wanted,
            held: held + plan.allocate,
            limit: room.limit.clone(),
        });
    }
    let surplus = held.saturating_sub(wanted) as usize;
    match cluster.scale {
        Scale::Manual { .. } => {
            plan.release = first_to_go(cluster, surplus);
            plan.stop = jobs_to_stop(cluster, &plan.release);
        }
        Scale::Auto { .. } => {
            let (due, next) = due(cluster, surplus, !needs_any(cluster, queued), now, policy);
            plan.release = due;
            plan.look_again = next;
        }
    }
    plan
}

/// How many nodes are wanted.
fn wanted(cluster: &ClusterView, Demand(queued): Demand) -> u32 {
    match cluster.scale {
        Scale::Manual {
            target_node_count, ..
        } => target_node_count,
        Scale::Auto { .. } if cluster.is_new => cluster.scale.initial().max(by_load(cluster, queued)),
        Scale::Auto { .. } => by_load(cluster, queued),
    }
}

/// Nodes that running jobs need.
fn running(cluster: &ClusterView) -> u32 {
    cluster.count(|state| matches!(state, NodeState::Busy { .. }))
}

/// Whether any job runs or waits for nodes.
fn needs_any(cluster: &ClusterView, Demand(queued): Demand) -> bool {
    queued > 0 || running(cluster) > 0
}

/// What auto-scale wants.
fn by_load(cluster: &ClusterView, queued: u32) -> u32 {
    let Scale::Auto {
        minimum_node_count: least,
        maximum_node_count: most,
        ..
    } = cluster.scale
    else {
        return cluster.scale.most();
    };
    let needed = running(cluster).saturating_add(queued);
    let wanted = if needed == 0 {
        0
    } else {
        needed.saturating_add(cluster.unusable())
    };
    wanted.max(least).min(most)
}

/// The nodes that leave when a cluster is scaled down by hand: unusable ones, then those being prepared,
/// then idle, then busy ones; the newest first.
fn first_to_go(cluster: &ClusterView, count: usize) -> Vec<Uid> {
    let mut without_job: Vec<(u8, Reverse<Uid>)> = cluster
        .held()
        .filter_map(|node| {
            let rank = match node.state {
                NodeState::Unusable => 0,
                NodeState::Preparing => 1,
                NodeState::Idle => 2,
                NodeState::Busy { .. } => return None,
            };
            Some((rank, Reverse(node.uid)))
        })
        .collect();
    without_job.sort_unstable();
    let mut released: Vec<Uid> = without_job
        .into_iter()
        .take(count)
        .map(|(_, Reverse(uid))| uid)
        .collect();
    released.extend(busy_to_release(cluster, count - released.len()));
    released
}

/// Jobs on nodes that leave, now or already, and that the scale settings do not wait for.
fn jobs_to_stop(cluster: &ClusterView, released: &[Uid]) -> Vec<Uid> {
    match cluster.scale.deallocation() {
        DeallocationOption::WaitForJobCompletion => return Vec::new(),
        DeallocationOption::Requeue | DeallocationOption::Terminate => {}
    }
    let jobs: BTreeSet<Uid> = cluster
        .nodes
        .iter()
        .filter(|node| node.leaving || released.contains(&node.uid))
        .filter_map(|node| match node.state {
            NodeState::Busy { job, stopping: false } => Some(job),
            NodeState::Busy { stopping: true, .. }
            | NodeState::Preparing
            | NodeState::Idle
            | NodeState::Unusable => None,
        })
        .collect();
    jobs.into_iter().collect()
}

/// Which of the nodes that auto-scale does not need are due, and when the next one is. Unusable ones, if
/// they go at all, go first and count as idle since their setup failed; then the longest idle.
fn due(
    cluster: &ClusterView,
    surplus: usize,
    unusable_too: bool,
    now: Timestamp,
    policy: &Policy,
) -> (Vec<Uid>, Option<Timestamp>) {
    let mut free: Vec<&NodeView> = cluster
        .held()
        .filter(|node| match node.state {
            NodeState::Idle => true,
            NodeState::Unusable => unusable_too,
            NodeState::Preparing | NodeState::Busy { .. } => false,
        })
        .collect();
    free.sort_by_key(|node| (node.state == NodeState::Idle, node.since, Reverse(node.uid)));
    free.truncate(surplus);
    // A time beyond what can be told is never.
    let due_at = |node: &NodeView| node.since.checked_add(policy.idle_time).unwrap_or(Timestamp::MAX);
    let (due, later): (Vec<&NodeView>, Vec<&NodeView>) =
        free.into_iter().partition(|node| due_at(node) <= now);
    let next = later.into_iter().map(due_at).min();
    (due.into_iter().map(|node| node.uid).collect(), next)
}
