//! Jobs that write more than they may, and what they leave.

use std::path::Path;
use std::time::Duration;

use rustix::fs::statvfs;
use trainyard_domain::ids::Uid;
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen};
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

/// Of people who are logged in, and of the setup task, who may have left something running.
const OF_SETUP: &str = "mkdir /tmp/service; echo > /tmp/service/socket; echo > /dev/shm/ring";

#[test]
fn what_a_job_leaves_in_tmp_goes_with_it_and_what_was_there_before_stays() {
    for yard in Yard::isolated().into_iter().chain(Yard::run_as("nobody")) {
        let node = Uid(1);
        yard.engine().ensure_node(yard.node_plan(node, Some(OF_SETUP)));
        yard.until_node(node, &NodeSeen::Ready);
        yard.note_namespace(node);
        let script = "for d in /tmp /var/tmp /dev/shm /run/lock; do mkdir -p $d/mine/deep; echo > $d/mine-too; done; \
            chmod 0 /tmp/mine /dev/shm/mine; ln -s $PWD /tmp/link; touch .hidden /tmp/.hidden; ls -A /tmp";
        assert_eq!(yard.run(id(1), node, script), Verdict::Exited(0));
        assert!(yard.read(id(1), node, "stdout.txt").contains("mine"));
        let look = "ls -A /tmp /tmp/service /var/tmp /dev/shm /run/lock";
        assert_eq!(yard.run(id(2), node, look), Verdict::Exited(0));
        let left = "/dev/shm:\nring\n\n/run/lock:\n\n/tmp:\nservice\n\n/tmp/service:\nsocket\n\n/var/tmp:\nservice\n";
        assert_eq!(yard.read(id(2), node, "stdout.txt"), left);
        until_gone(&yard, &yard.folder(node).root().join("cleared-1-1"));
    }
}

#[test]
fn a_job_that_fills_the_disk_by_tmp_is_ended_and_the_disk_is_free_again() {
    let Some(yard) = Yard::on_a_small_disk() else {
        return;
    };
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, "head -c 58M /dev/zero > /tmp/fill; exec sleep 300");
    plan.caps.disk_floor = 1 << 30;
    yard.launch(node, plan);
    let Verdict::OverLimit(error, None) = yard.verdict(id(1), node) else {
        panic!("{:?}", yard.seen());
    };
    assert_eq!(error.code, "NodeDiskFull");
    assert!(fact(&error.details, "grownBy") > 50 << 20, "{error:?}");
    yard.until("the disk is free again", || {
        let disk = statvfs(&yard.root).unwrap();
        (disk.f_bavail * disk.f_frsize > 60 << 20).then_some(())
    });
    assert_eq!(
        yard.run(id(2), node, "[ -z \"$(ls -A /tmp)\" ]"),
        Verdict::Exited(0)
    );
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
