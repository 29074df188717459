//! Who starts, and why the others wait.

use super::*;

/// What became of a line, as text: `101 on 1,2` or `102: why`.
fn told(nodes: &str, most: u32, node_counts: &[u32], blocked: Option<&str>) -> Vec<String> {
    let plan = place(&cluster(auto(0, most), nodes), &line(node_counts), blocked);
    let starts = plan.starts.iter().map(|start| {
        let nodes: Vec<String> = start.nodes.iter().map(Uid::to_string).collect();
        format!("{} on {}", start.job, nodes.join(","))
    });
    let reasons = plan
        .reasons
        .iter()
        .map(|(job, reason)| format!("{job}: {reason}"));
    starts.chain(reasons).collect()
}

#[test]
fn jobs_start_in_order_on_whole_gangs() {
    assert_eq!(told("iii", 3, &[2, 1], None), ["101 on 1,2", "102 on 3"]);
    assert_eq!(told("", 3, &[], None), [""; 0]);
}

#[test]
fn only_idle_nodes_that_stay_are_used() {
    assert_eq!(told("pu1i-i", 9, &[1], None), ["101 on 5"]);
}

#[test]
fn a_large_job_holds_back_the_small_ones_behind_it() {
    assert_eq!(
        told("ii", 4, &[3, 1], None),
        [
            "101: The job needs 3 nodes, and 2 are idle.",
            "102: The job waits behind job j101."
        ]
    );
    assert_eq!(
        told("ippp", 4, &[1, 4, 1], None),
        [
            "101 on 1",
            "102: The job needs 4 nodes, and none is idle; 3 are being prepared.",
            "103: The job waits behind job j102."
        ]
    );
}

#[test]
fn an_impossible_job_holds_nobody_back() {
    assert_eq!(
        told("ii", 2, &[3, 1], None),
        [
            "102 on 1",
            "101: The job needs 3 nodes, and its cluster can have at most 2; raise the scale settings of the cluster."
        ]
    );
    assert_eq!(
        told("iu", 2, &[2, 1], None),
        [
            "102 on 1",
            "101: The job needs 2 nodes, and its cluster can have at most 1 beside its 1 unusable; raise the scale \
             settings, or scale the cluster down and up again."
        ]
    );
}

#[test]
fn nothing_starts_while_starts_are_blocked() {
    let why = "Less than 1 GiB of disk is free.";
    assert_eq!(
        told("ii", 1, &[1, 2], Some(why)),
        [
            "101: Less than 1 GiB of disk is free.",
            "102: The job needs 2 nodes, and its cluster can have at most 1; raise the scale settings of the cluster."
        ]
    );
}
