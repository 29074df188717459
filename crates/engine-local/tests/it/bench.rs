//! What a trivial job costs beyond the process itself.

use std::process::Command;

use trainyard_domain::state::Verdict;
use trainyard_engine::Engine;
use trainyard_node::machine::since_boot;

use crate::yard::{Yard, id};

/// Prints figures; fails only when a job costs absurdly much.
#[test]
fn a_trivial_job_costs_little() {
    const JOBS: u32 = 50;
    let yard = Yard::new();
    let node = yard.node(1);
    let begin = since_boot();
    for job in 1..=i64::from(JOBS) {
        assert_eq!(yard.run(id(job), node, "true"), Verdict::Exited(0));
        yard.engine().forget(id(job), node);
    }
    let each = (since_boot() - begin) / JOBS;
    let begin = since_boot();
    for _ in 0..JOBS {
        #[expect(clippy::disallowed_methods, reason = "the bare loop to compare with")]
        let status = Command::new("bash").args(["-c", "true"]).status().unwrap();
        assert!(status.success());
    }
    let bare = (since_boot() - begin) / JOBS;
    println!("a trivial job one after the other: {each:?}; bare bash -c true: {bare:?}");
    assert!(each.as_millis() < 500, "{each:?}");
}

/// Prints how long a node takes to be ready, and how many trivial jobs four nodes do in a second.
#[test]
fn four_nodes_keep_busy() {
    const JOBS: i64 = 200;
    let yard = Yard::new();
    let begin = since_boot();
    let nodes = [1, 2, 3, 4].map(|uid| yard.node(uid));
    println!("a node is ready after {:?}", (since_boot() - begin) / 4);
    let begin = since_boot();
    std::thread::scope(|scope| {
        for (offset, node) in (0..).zip(nodes) {
            let yard = &yard;
            scope.spawn(move || {
                for job in (1 + offset..=JOBS).step_by(4) {
                    assert_eq!(yard.run(id(job), node, "true"), Verdict::Exited(0));
                    yard.engine().forget(id(job), node);
                }
            });
        }
    });
    let rate = f64::from(i32::try_from(JOBS).unwrap()) / (since_boot() - begin).as_secs_f64();
    println!("four nodes: {rate:.0} trivial jobs a second");
    assert!(rate > 2.0, "{rate}");
}
