//! Nodes that do not end what they should end, since something keeps them from it.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use trainyard_domain::ids::Uid;
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen, Observation, PlacementSeen};
use trainyard_node::machine::processes;

use crate::yard::{Yard, at_both_levels, id};

at_both_levels!(
    a_frozen_node_is_killed_for_a_job_that_is_stopped,
    a_frozen_node_is_killed_for_a_job_whose_time_is_over,
    a_frozen_node_is_killed_by_the_next_engine_too,
    a_node_that_ends_a_job_shows_signs_of_life,
);

const FOR_EVER: &str = "echo $$ > $OUT/pid; exec sleep 1000";

/// Has the engine wait for signs of life no longer than this.
fn impatient(mut yard: Yard, seconds: u64) -> Yard {
    yard.close();
    yard.answer_within = Duration::from_secs(seconds);
    yard.open();
    yard
}

/// The processes that are the node, outside and within its namespaces.
fn processes_of(yard: &Yard, node: Uid) -> Vec<Pid> {
    let end = format!("\0--folder\0{}\0", yard.folder(node).root().display());
    let is_it = |pid: &Pid| {
        let command = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid()));
        command.is_ok_and(|command| command.ends_with(end.as_bytes()))
    };
    processes().into_iter().filter(is_it).collect()
}

/// A node with a job that does not end; nothing that is the node goes on.
fn frozen(yard: &Yard, max_seconds: i64) -> (Uid, String) {
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, FOR_EVER);
    plan.grace_seconds = 1;
    plan.max_seconds = max_seconds;
    yard.launch(node, plan);
    let pid = yard.line(id(1), node, "pid");
    let processes = processes_of(yard, node);
    assert_eq!(processes.len(), if yard.is_isolated() { 2 } else { 1 });
    for process in processes {
        kill_process(process, Signal::STOP).unwrap();
    }
    (node, pid)
}

/// It has ended so, and its node is gone after that; nothing is left.
fn ends(yard: &Yard, (node, pid): &(Uid, String), verdict: Verdict) {
    let gone = Observation::Node {
        node: *node,
        seen: NodeSeen::Gone,
    };
    let ended = Observation::Placement {
        node: *node,
        placement: id(1),
        seen: PlacementSeen::Ended(verdict),
    };
    yard.until_node(*node, &NodeSeen::Gone);
    let seen = yard.seen();
    let at = |wanted: &Observation| seen.iter().position(|seen| seen == wanted);
    assert!(at(&ended).is_some() && at(&ended) < at(&gone), "{seen:?}");
    assert!(!yard.lives(pid));
    assert_eq!(yard.left(), Vec::<String>::new());
    assert_eq!(processes_of(yard, *node), []);
    assert!(
        yard.engine().observe_all().contains(&ended),
        "it is told until it is forgotten"
    );
    yard.engine().forget(id(1), *node);
    assert!(!yard.engine().observe_all().contains(&ended));
}

fn a_frozen_node_is_killed_for_a_job_that_is_stopped(yard: Yard) {
    let yard = impatient(yard, 1);
    let node = frozen(&yard, 1000);
    yard.engine().ensure_stopped(id(1), &[node.0]);
    ends(&yard, &node, Verdict::Stopped);
}

fn a_frozen_node_is_killed_for_a_job_whose_time_is_over(yard: Yard) {
    let yard = impatient(yard, 1);
    let node = frozen(&yard, 1);
    ends(&yard, &node, Verdict::TimedOut);
}

fn a_frozen_node_is_killed_by_the_next_engine_too(yard: Yard) {
    let mut yard = impatient(yard, 1);
    let node = frozen(&yard, 3);
    yard.close();
    yard.open();
    ends(&yard, &node, Verdict::TimedOut);
}

fn a_node_that_ends_a_job_shows_signs_of_life(yard: Yard) {
    let node = yard.node(1);
    let mut plan = yard.plan(
        id(1),
        node,
        "trap '' TERM; echo $$ > $OUT/pid; while :; do sleep 0.05; done",
    );
    plan.grace_seconds = 5;
    yard.launch(node, plan);
    yard.line(id(1), node, "pid");
    let sign = || {
        std::fs::metadata(yard.folder(node).alive())
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = sign();
    yard.engine().ensure_stopped(id(1), &[node]);
    let first = yard.until("a sign of life", || Some(sign()).filter(|sign| *sign != before));
    yard.until("another one", || Some(sign()).filter(|sign| *sign != first));
    assert_eq!(yard.verdict(id(1), node), Verdict::Stopped);
}
