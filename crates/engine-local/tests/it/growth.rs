//! Jobs that write more than they may, and what they leave.

use std::path::Path;
use std::time::Duration;

use trainyard_domain::state::Verdict;
use trainyard_engine::Engine;
use trainyard_engine_local::litter;

use crate::yard::{Yard, at_both_levels, id};

at_both_levels!(
    a_job_over_a_limit_is_ended_with_the_reason,
    an_idle_node_removes_what_the_job_left,
);

fn fact(details: &[(String, String)], name: &str) -> u64 {
    let found = details.iter().find(|(known, _)| known == name);
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

fn until_gone(yard: &Yard, directory: &Path) {
    yard.until(&format!("{} is gone", directory.display()), || {
        (!directory.exists()).then_some(())
    });
}

fn a_job_over_a_limit_is_ended_with_the_reason(yard: Yard) {
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, "head -c 70000 /dev/zero; exec sleep 300");
    plan.caps.stdout = 65536;
    yard.launch(node, plan);
    let Verdict::OverLimit(error, None) = yard.verdict(id(1), node) else {
        panic!("{:?}", yard.seen());
    };
    assert_eq!(error.code, "JobOutputLimitExceeded");
    assert_eq!(fact(&error.details, "bytes"), 70000);
    let log = yard.read(id(1), node, "execution.log");
    assert!(log.contains("JobOutputLimitExceeded"), "{log}");

    // What all nodes share is not the job directory's, although it is shown there.
    let script = "head -c 3000000 /dev/zero > shared/theirs; head -c 2000000 /dev/zero > mine; exit 3";
    let mut plan = yard.plan(id(2), node, script);
    plan.caps.job_temp = 1 << 20;
    plan.caps.execution_log = 100;
    yard.launch(node, plan);
    let Verdict::OverLimit(error, Some(3)) = yard.verdict(id(2), node) else {
        panic!("{:?}", yard.seen());
    };
    assert_eq!(error.code, "JobTempLimitExceeded");
    let bytes = fact(&error.details, "bytes");
    assert!((2_000_000..2_500_000).contains(&bytes), "{bytes}");
    let log = yard.read(id(2), node, "execution.log");
    assert!(
        log.lines().count() == 3 && log.contains("execution_log_bytes"),
        "{log}"
    );
    until_gone(&yard, &yard.folder(node).jobs().join("job-2-1"));

    // A limit that is kept changes nothing.
    let mut plan = yard.plan(
        id(3),
        node,
        "head -c 70000 /dev/zero; head -c 70000 /dev/zero > mine",
    );
    plan.caps.stdout = 70000;
    plan.caps.job_temp = 1 << 20;
    plan.caps.disk_floor = 1;
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(3), node), Verdict::Exited(0));
}

fn an_idle_node_removes_what_the_job_left(mut yard: Yard) {
    let first = yard.node(1);
    assert_eq!(yard.run(id(1), first, "echo > mine"), Verdict::Exited(0));
    let directory = yard.folder(first).jobs().join("job-1-1");
    assert!(directory.join("mine").exists());
    yard.engine().forget(id(1), first);
    // Asked to, as `trainyard gc` does.
    assert_eq!(
        litter::idle_jobs(yard.folder(first).root()),
        Some(yard.folder(first).jobs())
    );
    litter::ask_to_tidy(yard.folder(first).root()).unwrap();
    until_gone(&yard, &directory);

    // By itself, and never while a job runs.
    yard.close();
    yard.keep_job_temp = Some(Duration::ZERO);
    yard.open();
    let second = yard.node(2);
    let script = "echo > mine; echo here; until [ -e $OUT/go ]; do sleep 0.02; done; cat mine";
    yard.launch(second, yard.plan(id(2), second, script));
    yard.line(id(2), second, "stdout.txt");
    litter::ask_to_tidy(yard.folder(second).root()).unwrap();
    until_gone(&yard, &yard.folder(second).tidy());
    assert_eq!(litter::idle_jobs(yard.folder(second).root()), None);
    std::fs::write(yard.out(id(2), second).join("go"), "").unwrap();
    assert_eq!(yard.verdict(id(2), second), Verdict::Exited(0));
    until_gone(&yard, &yard.folder(second).jobs().join("job-2-1"));
}
