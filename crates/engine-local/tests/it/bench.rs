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
