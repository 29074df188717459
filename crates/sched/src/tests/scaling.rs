//! How many nodes, and which leave.

use super::*;

/// The plan of a cluster with that much queued, at second 100 and with all the room there is.
fn planned(scale: Scale, nodes: &str, queued: u32) -> ScalePlan {
    let view = cluster(scale, nodes);
    crate::scale(&view, Demand(queued), &ample(), at(100), &Policy::default())
}

fn released(scale: Scale, nodes: &str) -> Vec<Uid> {
    planned(scale, nodes, 0).release
}

#[test]
fn by_hand_missing_nodes_are_allocated_at_once() {
    for (target, nodes, allocate) in [
        (3, "", 3),
        (3, "ipu", 0),
        (3, "i1-", 2),
        (0, "", 0),
        (2, "1i-i-", 1),
    ] {
        let plan = planned(manual(target, Requeue), nodes, 0);
        assert_eq!(
            (plan.wanted, plan.allocate),
            (target, allocate),
            "{target} {nodes}"
        );
        assert_eq!(plan.release, [], "{target} {nodes}");
    }
}

#[test]
fn by_hand_the_least_useful_nodes_leave_first_and_of_them_the_newest() {
    for (target, nodes, expected) in [
        (4, "1ipui", &[4][..]),
        (3, "1ipui", &[4, 3]),
        (2, "1ipui", &[4, 3, 5]),
        (1, "1ipui", &[4, 3, 5, 2]),
        (0, "1ipui", &[4, 3, 5, 2, 1]),
        (1, "iii-", &[2]),
    ] {
        assert_eq!(
            released(manual(target, Requeue), nodes),
            uids(expected),
            "{target} {nodes}"
        );
    }
}

#[test]
fn by_hand_the_fewest_jobs_are_disturbed_then_the_smaller_then_the_newer() {
    for (target, nodes, expected, stopped) in [
        // Any job will do: the smaller.
        (2, "112", &[3][..], &[2][..]),
        // Same size: the newer.
        (1, "12", &[2], &[2]),
        // Two nodes of one job rather than two jobs.
        (3, "12333", &[5, 4], &[3]),
        // Three nodes: the largest alone.
        (2, "12333", &[5, 4, 3], &[3]),
        // The smallest that is enough, not the largest.
        (4, "122333", &[3, 2], &[2]),
        // Four nodes: the largest and one more, the newer of the two others.
        (1, "12333", &[2, 5, 4, 3], &[2, 3]),
        // A job that ends anyway goes first, and is not stopped again.
        (1, "1!2", &[1], &[]),
        // So does one that loses another node already; that one is still to be stopped.
        (1, "11-2", &[1], &[1]),
    ] {
        let plan = planned(manual(target, Terminate), nodes, 0);
        assert_eq!(plan.release, uids(expected), "{target} {nodes}");
        assert_eq!(plan.stop, uids(stopped), "{target} {nodes}");
    }
}

#[test]
fn by_hand_jobs_are_waited_for_when_told_so() {
    let plan = planned(manual(0, WaitForJobCompletion), "12i", 0);
    assert_eq!((plan.release, plan.stop), (uids(&[3, 2, 1]), vec![]));
    // Told otherwise later, the jobs on leaving nodes stop.
    assert_eq!(planned(manual(0, Requeue), "1-2!-", 0).stop, uids(&[1]));
}

#[test]
fn auto_scale_wants_what_jobs_need_within_the_bounds() {
    for (scale, nodes, queued, wanted, allocate) in [
        (auto(0, 4), "", 0, 0, 0),
        (auto(0, 4), "", 2, 2, 2),
        (auto(0, 4), "11", 1, 3, 1),
        (auto(0, 4), "11i", 1, 3, 0),
        (auto(0, 4), "11", 9, 4, 2),
        (auto(2, 4), "", 0, 2, 2),
        // Leaving nodes are not held; unusable ones come on top while there is need.
        (auto(0, 4), "i-", 1, 1, 1),
        (auto(0, 4), "u", 1, 2, 1),
        (auto(0, 1), "u", 1, 1, 0),
    ] {
        let plan = planned(scale.clone(), nodes, queued);
        assert_eq!(
            (plan.wanted, plan.allocate),
            (wanted, allocate),
            "{scale:?} {nodes} {queued}"
        );
        assert_eq!(plan.shortage, None);
    }
}

#[test]
fn auto_scale_releases_what_was_idle_long_enough_and_tells_when_to_look_again() {
    let mut view = cluster(auto(1, 9), "1iiipu");
    for (node, second) in view.nodes.iter_mut().zip([0, 50, 30, 40, 0, 0]) {
        node.since = at(second);
    }
    let plan = |queued, second| crate::scale(&view, Demand(queued), &ample(), at(second), &Policy::default());
    // Job 1, the unusable node and the one being prepared aside, three are idle.
    assert_eq!(
        (plan(0, 89).release, plan(0, 89).look_again),
        (vec![], Some(at(90)))
    );
    assert_eq!(
        (plan(0, 90).release, plan(0, 90).look_again),
        (uids(&[3]), Some(at(100)))
    );
    assert_eq!(
        (plan(0, 200).release, plan(0, 200).look_again),
        (uids(&[3, 4, 2]), None)
    );
    // Queued jobs need them.
    assert_eq!(
        (plan(3, 200).release, plan(3, 200).look_again),
        (uids(&[3]), None)
    );
    assert_eq!((plan(4, 200).release, plan(4, 200).allocate), (vec![], 0));
}

#[test]
fn auto_scale_clears_unusable_nodes_away_once_nothing_is_needed() {
    assert_eq!(released(auto(0, 4), "u1"), []);
    assert_eq!(released(auto(0, 4), "ui"), uids(&[1, 2]));
    assert_eq!(released(auto(1, 4), "iu"), uids(&[2]));
}

#[test]
fn a_new_cluster_gets_its_initial_nodes_once() {
    let scale = Scale::Auto {
        minimum_node_count: 0,
        maximum_node_count: 4,
        initial_node_count: 2,
    };
    let mut view = cluster(scale.clone(), "");
    view.is_new = true;
    let plan = crate::scale(&view, Demand(0), &ample(), at(0), &Policy::default());
    assert_eq!((plan.wanted, plan.allocate), (2, 2));
    assert_eq!(planned(scale, "", 0).allocate, 0);
}

#[test]
fn a_shortage_is_told() {
    let room = Room {
        nodes: 1,
        limit: "The engine holds at most 8 nodes.".to_owned(),
    };
    let view = cluster(manual(4, Requeue), "i");
    let plan = crate::scale(&view, Demand(0), &room, at(0), &Policy::default());
    assert_eq!(plan.allocate, 1);
    assert_eq!(
        plan.shortage.unwrap().to_string(),
        "The cluster wants 4 nodes and can have 2 now. The engine holds at most 8 nodes."
    );
}

#[test]
fn demand_leaves_out_what_can_never_fit_and_ends_at_what_is_possible() {
    assert_eq!(demand_of([1, 5, 2], 4), Demand(3));
    assert_eq!(demand_of([3, 3, u32::MAX], 4), Demand(4));
    assert_eq!(demand_of(std::iter::repeat(1), 4), Demand(4));
    assert_eq!(demand_of([1], 0), Demand(0));
}
