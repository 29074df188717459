//! Which waiting jobs start, and why the others wait.

use trainyard_domain::ids::Uid;

use crate::reason::Reason;
use crate::view::{ClusterView, NodeState, number};

/// A job in the waiting line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The job.
    pub job: Uid,
    /// Its name, for the reasons of those behind it.
    pub name: String,
    /// How many nodes it needs, all at once.
    pub node_count: u32,
}

/// A job that starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The job.
    pub job: Uid,
    /// Its nodes, the master first.
    pub nodes: Vec<Uid>,
}

/// What becomes of the waiting line: every job of it is in exactly one of the two lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What starts now.
    pub starts: Vec<Start>,
    /// Why the others wait.
    pub reasons: Vec<(Uid, Reason)>,
}

/// Gives the idle nodes of a cluster to the jobs at the head of its waiting line.
///
/// `line` is in order: higher priority first, then first come first served. A job gets all its nodes or
/// none. The first job that has to wait for nodes holds back all behind it, so that small jobs never
/// starve a large one; a job that needs more nodes than the cluster can have is passed over and holds
/// nobody back. `starts_blocked` is a sentence that says why nothing may start now, if so.
pub fn place(cluster: &ClusterView, line: &[Waiting], starts_blocked: Option<&str>) -> Plan {
    let mut idle: Vec<Uid> = cluster
        .held()
        .filter(|node| node.state == NodeState::Idle)
        .map(|node| node.uid)
        .collect();
    idle.sort_unstable();
    let mut idle = idle.into_iter();
    let mut plan = Plan::default();
    let mut holding: Option<&Waiting> = None;
    for waiting in line {
        let needed = waiting.node_count as usize;
        let reason = if waiting.node_count > cluster.possible() {
            Reason::TooLarge {
                needed: waiting.node_count,
                possible: cluster.possible(),
                unusable: cluster.unusable(),
            }
        } else if let Some(why) = starts_blocked {
            Reason::Blocked(why.to_owned())
        } else if let Some(first) = holding {
            Reason::Behind {
                job: first.job,
                name: first.name.clone(),
            }
        } else if needed <= idle.len() {
            let nodes = idle.by_ref().take(needed).collect();
            plan.starts.push(Start {
                job: waiting.job,
                nodes,
            });
            continue;
        } else {
            holding = Some(waiting);
            Reason::FewIdle {
                needed: waiting.node_count,
                idle: number(idle.len()),
                preparing: cluster.count(|state| matches!(state, NodeState::Preparing)),
            }
        };
        plan.reasons.push((waiting.job, reason));
    }
    plan
}
