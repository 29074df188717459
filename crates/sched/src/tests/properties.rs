//! What holds for every cluster and every line.

use std::collections::BTreeSet;

use super::*;

/// The cluster after the plan is carried out: new nodes are being prepared, nodes without a job are gone.
fn carried_out(mut view: ClusterView, plan: &ScalePlan, now: Timestamp) -> ClusterView {
    for node in &mut view.nodes {
        node.leaving |= plan.release.contains(&node.uid);
        if let NodeState::Busy { job, stopping } = &mut node.state {
            *stopping |= plan.stop.contains(job);
        }
    }
    view.nodes
        .retain(|node| !node.leaving || matches!(node.state, NodeState::Busy { .. }));
    view.is_new = false;
    let new = (0..i64::from(plan.allocate)).map(|i| NodeView {
        uid: Uid(1000 + i),
        since: now,
        state: NodeState::Preparing,
        leaving: false,
    });
    view.nodes.extend(new);
    view
}

fn held(view: &ClusterView) -> u32 {
    view.nodes.iter().filter(|node| !node.leaving).count() as u32
}

proptest! {
    #[test]
    fn placing_is_whole_ordered_and_gives_no_node_twice(
        view in any_cluster(),
        counts in prop::collection::vec(1u32..7, 0..10),
        blocked in any::<bool>(),
    ) {
        let line = line(&counts);
        let plan = place(&view, &line, blocked.then_some("It is blocked."));
        prop_assert!(!blocked || plan.starts.is_empty());
        let mut used = BTreeSet::new();
        for start in &plan.starts {
            let waiting = line.iter().find(|w| w.job == start.job).unwrap();
            prop_assert_eq!(start.nodes.len(), waiting.node_count as usize);
            for uid in &start.nodes {
                let node = view.nodes.iter().find(|n| n.uid == *uid).unwrap();
                prop_assert!(node.state == NodeState::Idle && !node.leaving);
                prop_assert!(used.insert(*uid), "given twice");
            }
        }
        // Every job has one answer, and none starts behind one that waits though it could fit.
        let mut told: Vec<Uid> = plan.starts.iter().map(|s| s.job).collect();
        told.extend(plan.reasons.iter().map(|(job, _)| *job));
        told.sort_unstable();
        prop_assert_eq!(told, line.iter().map(|w| w.job).collect::<Vec<_>>());
        let first_held = plan.reasons.iter().find(|(_, r)| !matches!(r, Reason::TooLarge { .. }));
        if let Some((held, _)) = first_held {
            prop_assert!(plan.starts.iter().all(|start| start.job < *held));
        }
    }

    #[test]
    fn scaling_counts_add_up(view in any_cluster(), queued in 0u32..12, room in 0u32..12, second in 0i64..300) {
        let room = Room { nodes: room, limit: String::new() };
        let plan = crate::scale(&view, Demand(queued), &room, at(second), &Policy::default());
        let held_now = held(&view);
        let after = held_now + plan.allocate - plan.release.len() as u32;
        let unique: BTreeSet<Uid> = plan.release.iter().copied().collect();
        prop_assert_eq!(unique.len(), plan.release.len());
        prop_assert!(plan.allocate == 0 || plan.release.is_empty());
        prop_assert!(plan.allocate <= room.nodes);
        prop_assert_eq!(plan.shortage.is_some(), held_now + plan.allocate < plan.wanted);
        prop_assert!(after >= plan.wanted || plan.release.is_empty());
        prop_assert!(plan.look_again.is_none_or(|time| time > at(second)));
        for uid in &plan.release {
            let node = view.nodes.iter().find(|n| n.uid == *uid).unwrap();
            prop_assert!(!node.leaving);
            let busy = matches!(node.state, NodeState::Busy { .. });
            match view.scale {
                Scale::Auto { .. } => prop_assert!(!busy),
                Scale::Manual { .. } if busy => {
                    // All that had no job went before.
                    let spared = view.nodes.iter().any(|n| {
                        !n.leaving && !matches!(n.state, NodeState::Busy { .. }) && !unique.contains(&n.uid)
                    });
                    prop_assert!(!spared);
                }
                Scale::Manual { .. } => {}
            }
        }
        if let Scale::Manual { target_node_count, node_deallocation_option } = view.scale {
            prop_assert!(held_now < target_node_count || after == target_node_count);
            prop_assert!(node_deallocation_option != WaitForJobCompletion || plan.stop.is_empty());
        } else {
            prop_assert!(plan.stop.is_empty());
        }
    }

    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do(view in any_cluster(), queued in 0u32..12, second in 0i64..300) {
        let scale = |view: &ClusterView| {
            crate::scale(view, Demand(queued), &ample(), at(second), &Policy::default())
        };
        let first = scale(&view);
        prop_assert_eq!(&scale(&view), &first);
        // A new cluster wants its initial nodes once; after that the load alone speaks.
        prop_assume!(!view.is_new);
        let again = scale(&carried_out(view, &first, at(second)));
        prop_assert_eq!((again.allocate, again.release, again.stop), (0, vec![], vec![]));
    }

    #[test]
    fn the_fewest_jobs_lose_a_node(nodes in "[1-6]{1,10}", target in 0u32..10) {
        let view = cluster(manual(target, Requeue), &nodes);
        let plan = crate::scale(&view, Demand(0), &ample(), at(0), &Policy::default());
        let jobs: BTreeSet<char> = nodes.chars().collect();
        let jobs: Vec<char> = jobs.into_iter().collect();
        let surplus = nodes.len().saturating_sub(target as usize);
        // All sets of jobs tried one by one.
        let best = (0..1usize << jobs.len())
            .filter(|set| {
                let hit = |c: char| jobs.iter().position(|j| *j == c).is_some_and(|i| set & (1 << i) != 0);
                nodes.chars().filter(|c| hit(*c)).count() >= surplus
            })
            .map(|set| set.count_ones() as usize)
            .min()
            .unwrap();
        prop_assert_eq!(plan.stop.len(), best);
    }
}
