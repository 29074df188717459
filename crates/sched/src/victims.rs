//! Which busy nodes go first when a cluster is scaled down by hand.

use std::collections::BTreeMap;

use trainyard_domain::ids::Uid;

use crate::view::{ClusterView, NodeState};

/// A job and the nodes it holds, newest first.
struct Holder {
    job: Uid,
    stopping: bool,
    nodes: Vec<Uid>,
}

/// `count` busy nodes, or all if there are fewer, so that the fewest jobs lose a node. Jobs that are on
/// their way out, or lose a node anyway, go first; among equally good choices those that hold fewer nodes,
/// then the newest.
pub(crate) fn busy_to_release(cluster: &ClusterView, count: usize) -> Vec<Uid> {
    let (free, mut rest): (Vec<Holder>, Vec<Holder>) = holders(cluster).into_iter().partition(|h| h.stopping);
    let mut released: Vec<Uid> = free
        .into_iter()
        .flat_map(|holder| holder.nodes)
        .take(count)
        .collect();
    // From small to large, the newest of the same size first.
    rest.sort_by_key(|holder| (holder.nodes.len(), std::cmp::Reverse(holder.job)));
    let mut jobs = fewest(&rest, count - released.len());
    while released.len() < count && !rest.is_empty() {
        jobs = jobs.saturating_sub(1);
        // The smallest job that leaves enough for the others to bring.
        let missing = count - released.len();
        let chosen = (0..rest.len())
            .find(|&i| {
                let others = rest.iter().enumerate().rev().filter(|(j, _)| *j != i);
                let brought: usize = others.take(jobs).map(|(_, holder)| holder.nodes.len()).sum();
                rest[i].nodes.len() + brought >= missing
            })
            .unwrap_or(rest.len() - 1);
        released.extend(rest.remove(chosen).nodes.into_iter().take(missing));
    }
    released
}

/// How many jobs have to lose nodes for `count` nodes: the largest bring most.
fn fewest(from_small_to_large: &[Holder], count: usize) -> usize {
    let mut brought = 0;
    from_small_to_large
        .iter()
        .rev()
        .take_while(|holder| {
            let more = brought < count;
            brought += holder.nodes.len();
            more
        })
        .count()
}

/// The jobs that hold nodes; a job with a node that leaves already is as good as on its way out.
fn holders(cluster: &ClusterView) -> Vec<Holder> {
    let mut holders: BTreeMap<Uid, Holder> = BTreeMap::new();
    for node in &cluster.nodes {
        let NodeState::Busy { job, stopping } = node.state else {
            continue;
        };
        let holder = holders.entry(job).or_insert(Holder {
            job,
            stopping: false,
            nodes: Vec::new(),
        });
        holder.stopping |= stopping || node.leaving;
        if !node.leaving {
            holder.nodes.push(node.uid);
        }
    }
    let mut holders: Vec<Holder> = holders.into_values().rev().collect();
    for holder in &mut holders {
        holder.nodes.sort_unstable_by(|a, b| b.cmp(a));
    }
    holders.retain(|holder| !holder.nodes.is_empty());
    holders
}
