//! A cluster run for a while: every round the planner is asked and obeyed.

use super::*;

/// A cluster at work. Jobs run for a number of rounds, nodes are prepared in one.
struct World {
    view: ClusterView,
    line: Vec<Waiting>,
    running: Vec<(Uid, u64)>,
    round: u64,
    next: i64,
    started: Vec<Uid>,
}

impl World {
    fn new(scale: Scale) -> World {
        World {
            view: cluster(scale, ""),
            line: Vec::new(),
            running: Vec::new(),
            round: 0,
            next: 1,
            started: Vec::new(),
        }
    }

    fn uid(&mut self) -> Uid {
        self.next += 1;
        Uid(self.next)
    }

    fn submit(&mut self, node_count: u32) -> Uid {
        let job = self.uid();
        let name = format!("j{job}");
        self.line.push(Waiting {
            job,
            name,
            node_count,
        });
        job
    }

    /// One round: ends, scaling, starts. A job runs for as many rounds as its uid says, modulo 3.
    fn round(&mut self) {
        self.round += 1;
        let now = at(self.round as i64);
        let ended: Vec<Uid> = self
            .running
            .iter()
            .filter(|(_, end)| *end <= self.round)
            .map(|(job, _)| *job)
            .collect();
        self.running.retain(|(job, _)| !ended.contains(job));
        for node in &mut self.view.nodes {
            let over = matches!(node.state, NodeState::Busy { job, .. } if ended.contains(&job));
            if over || node.state == NodeState::Preparing {
                node.state = NodeState::Idle;
                node.since = now;
            }
        }
        let demand = demand_of(self.line.iter().map(|w| w.node_count), self.view.possible());
        let policy = Policy {
            idle_time: SignedDuration::from_secs(3),
        };
        let plan = crate::scale(&self.view, demand, &ample(), now, &policy);
        self.view.nodes.retain(|node| !plan.release.contains(&node.uid));
        for _ in 0..plan.allocate {
            let uid = self.uid();
            self.view.nodes.push(NodeView {
                uid,
                since: now,
                state: NodeState::Preparing,
                leaving: false,
            });
        }
        for start in place(&self.view, &self.line, None).starts {
            self.line.retain(|w| w.job != start.job);
            self.running
                .push((start.job, self.round + 1 + start.job.0 as u64 % 3));
            self.started.push(start.job);
            for node in self
                .view
                .nodes
                .iter_mut()
                .filter(|n| start.nodes.contains(&n.uid))
            {
                assert_eq!(node.state, NodeState::Idle);
                node.state = NodeState::Busy {
                    job: start.job,
                    stopping: false,
                };
            }
        }
    }
}

#[test]
fn a_large_job_starts_under_a_stream_of_small_ones() {
    let mut world = World::new(auto(0, 4));
    for _ in 0..5 {
        world.submit(1);
        world.submit(1);
        world.round();
    }
    let large = world.submit(4);
    for _ in 0..20 {
        world.submit(1);
        world.submit(1);
        world.round();
    }
    assert!(world.started.contains(&large));
}

#[test]
fn all_nodes_go_when_the_work_is_done() {
    let mut world = World::new(auto(0, 4));
    world.submit(3);
    world.submit(2);
    let never = world.submit(9);
    for _ in 0..30 {
        world.round();
    }
    assert_eq!(world.started.len(), 2);
    assert_eq!(world.line.iter().map(|w| w.job).collect::<Vec<_>>(), [never]);
    assert!(world.view.nodes.is_empty() && world.running.is_empty());
}

proptest! {
    #[test]
    fn all_that_can_run_is_started_in_the_end_and_in_order(counts in prop::collection::vec(1u32..7, 1..12)) {
        let mut world = World::new(auto(0, 5));
        let possible: Vec<Uid> = counts
            .iter()
            .map(|&count| (world.submit(count), count))
            .filter(|(_, count)| *count <= 5)
            .map(|(job, _)| job)
            .collect();
        for _ in 0..100 {
            world.round();
        }
        prop_assert_eq!(world.started, possible);
        prop_assert!(world.view.nodes.is_empty());
    }
}
