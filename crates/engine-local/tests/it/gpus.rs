//! Which GPUs the processes on a node are shown. The GPUs are made up: what CUDA makes of the variable is its
//! own affair.

use std::fs;

use trainyard_domain::ids::{GpuId, Uid};
use trainyard_domain::launch::NodePlan;
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen};

use crate::yard::{Yard, id};

/// Shows the variable; a name of its own where it is not set.
const SHOW: &str = "echo \"<${CUDA_VISIBLE_DEVICES-not set}>\"";

fn ids(names: &[&str]) -> Vec<GpuId> {
    names.iter().map(|name| GpuId((*name).to_owned())).collect()
}

/// A node that has these GPUs, and whose setup task shows the variable.
fn node(yard: &Yard, uid: i64, gpus: &[&str]) -> Uid {
    let plan = NodePlan {
        gpus: ids(gpus),
        ..yard.node_plan(Uid(uid), Some(SHOW))
    };
    yard.engine().ensure_node(plan);
    yard.until_node(Uid(uid), &NodeSeen::Ready);
    Uid(uid)
}

/// What a job on the node is shown.
fn seen_by_a_job(yard: &Yard, job: i64, node: Uid) -> String {
    assert_eq!(yard.run(id(job), node, SHOW), Verdict::Exited(0));
    yard.read(id(job), node, "stdout.txt")
}

fn seen_by_the_setup(yard: &Yard, node: Uid) -> String {
    fs::read_to_string(yard.setup_out(node).join("stdout.txt")).unwrap()
}

#[test]
fn processes_see_their_nodes_gpus_and_no_others() {
    let yard = Yard::with_gpus(&ids(&["GPU-a", "GPU-b", "GPU-c"]));
    assert_eq!(yard.engine().capacity(0).gpus, ids(&["GPU-a", "GPU-b", "GPU-c"]));
    for (uid, gpus, shown) in [
        (1, &["GPU-b", "GPU-a"][..], "<GPU-b,GPU-a>\n"),
        (2, &["GPU-c"], "<GPU-c>\n"),
        (3, &[], "<>\n"),
    ] {
        let node = node(&yard, uid, gpus);
        assert_eq!(seen_by_the_setup(&yard, node), shown);
        assert_eq!(seen_by_a_job(&yard, uid, node), shown);
    }
}

#[test]
fn the_variable_is_left_alone_where_no_gpu_is_known() {
    let yard = Yard::new();
    let node = node(&yard, 1, &[]);
    assert_eq!(seen_by_the_setup(&yard, node), "<not set>\n");
    assert_eq!(seen_by_a_job(&yard, 1, node), "<not set>\n");
}

#[test]
fn what_a_user_sets_wins() {
    let yard = Yard::with_gpus(&ids(&["GPU-a"]));
    let node = node(&yard, 1, &["GPU-a"]);
    let mut plan = yard.plan(id(1), node, SHOW);
    let own = ("CUDA_VISIBLE_DEVICES".to_owned(), "7".to_owned());
    plan.processes[0].environment.extend([own]);
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
    assert_eq!(yard.read(id(1), node, "stdout.txt"), "<7>\n");
}

#[test]
fn a_node_keeps_its_gpu_when_the_next_engine_does_not_find_it() {
    let mut yard = Yard::with_gpus(&ids(&["GPU-a", "GPU-b"]));
    let node = node(&yard, 1, &["GPU-a"]);
    yard.close();
    yard.gpus = ids(&["GPU-b"]);
    yard.open();
    assert_eq!(yard.engine().capacity(0).gpus, ids(&["GPU-b"]));
    assert_eq!(seen_by_a_job(&yard, 1, node), "<GPU-a>\n");
}
