//! Tests that read like sentences, and the words for them.

mod placing;
mod properties;
mod scaling;
mod simulated;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use trainyard_domain::ids::Uid;
use trainyard_domain::spec::{DeallocationOption, Scale};

use crate::*;
use DeallocationOption::{Requeue, Terminate, WaitForJobCompletion};

pub fn manual(target: u32, option: DeallocationOption) -> Scale {
    Scale::Manual {
        target_node_count: target,
        node_deallocation_option: option,
    }
}

pub fn auto(least: u32, most: u32) -> Scale {
    Scale::Auto {
        minimum_node_count: least,
        maximum_node_count: most,
        initial_node_count: 0,
    }
}

/// That many seconds after the beginning of all tests.
pub fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

/// A cluster whose nodes are written as letters, their uids counting from 1: `i` idle, `p` preparing, `u`
/// unusable, a digit a node of that job, and after any of them `-` leaving, `!` its job is stopping.
pub fn cluster(scale: Scale, nodes: &str) -> ClusterView {
    let mut view = ClusterView {
        scale,
        nodes: Vec::new(),
        is_new: false,
    };
    for c in nodes.chars() {
        let state = match c {
            'i' => NodeState::Idle,
            'p' => NodeState::Preparing,
            'u' => NodeState::Unusable,
            '-' => {
                view.nodes.last_mut().unwrap().leaving = true;
                continue;
            }
            '!' => {
                let NodeState::Busy { stopping, .. } = &mut view.nodes.last_mut().unwrap().state else {
                    panic!("only a job stops");
                };
                *stopping = true;
                continue;
            }
            digit => NodeState::Busy {
                job: Uid(i64::from(digit.to_digit(10).unwrap())),
                stopping: false,
            },
        };
        view.nodes.push(NodeView {
            uid: Uid(view.nodes.len() as i64 + 1),
            since: at(0),
            state,
            leaving: false,
        });
    }
    view
}

pub fn uids(numbers: &[i64]) -> Vec<Uid> {
    numbers.iter().copied().map(Uid).collect()
}

pub fn ample() -> Room {
    Room {
        nodes: 1000,
        limit: String::new(),
    }
}

/// A waiting line of jobs that need so many nodes, their uids counting from 101.
pub fn line(node_counts: &[u32]) -> Vec<Waiting> {
    (101..)
        .zip(node_counts)
        .map(|(uid, &node_count)| Waiting {
            job: Uid(uid),
            name: format!("j{uid}"),
            node_count,
        })
        .collect()
}

pub fn any_cluster() -> impl Strategy<Value = ClusterView> {
    let option = prop::sample::select(vec![Requeue, Terminate, WaitForJobCompletion]);
    let by_hand = (0u32..12, option).prop_map(|(target, option)| manual(target, option));
    let by_load = (0u32..6, 0u32..8).prop_map(|(least, more)| auto(least, least + more));
    let scale = prop_oneof![by_hand, by_load];
    (
        scale,
        "([ipu]-?|[1-4]!?-?){0,12}",
        any::<bool>(),
        prop::collection::vec(0i64..200, 24),
    )
        .prop_map(|(scale, nodes, is_new, since)| {
            let mut view = cluster(scale, &nodes);
            view.is_new = is_new && view.nodes.is_empty();
            for (node, second) in view.nodes.iter_mut().zip(since) {
                node.since = at(second);
            }
            view
        })
}
