//! Ends of jobs that do not end by themselves, or not entirely.

use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen};

use crate::yard::{Yard, at_both_levels, id, process, runs};

at_both_levels!(
    a_stopped_job_may_tidy_up,
    a_job_that_ignores_sigterm_is_killed_after_its_grace,
    the_first_failure_ends_the_attempt,
    who_does_not_decide_is_stopped_when_the_others_are_done,
    a_node_without_processes_is_done_at_once,
    a_job_that_runs_too_long_is_ended,
    a_node_whose_folder_is_gone_ends_with_all_it_runs,
);

/// Leaves a process behind that has made itself independent in every way, and notes its pid.
const DAEMON: &str = "(setsid bash -c '(trap \"\" TERM; echo $BASHPID > $OUT/daemon; while :; do sleep 1; done) & ' &) ; \
                      until [ -s $OUT/daemon ]; do sleep 0.01; done;";

/// The same without a trace of where it came from in its environment.
const NAMELESS_DAEMON: &str = "(setsid env -i OUT=$OUT PATH=$PATH bash -c 'echo $$ > $OUT/daemon; while :; do sleep 1; done' &) ; \
                               until [ -s $OUT/daemon ]; do sleep 0.01; done;";

fn a_stopped_job_may_tidy_up(yard: Yard) {
    let node = yard.node(1);
    let script = "trap 'echo tidy > $OUT/tidy; exit 0' TERM; echo on > $OUT/on; while :; do sleep 0.05; done";
    yard.launch(node, yard.plan(id(1), node, script));
    yard.line(id(1), node, "on");
    yard.engine().ensure_stopped(id(1), &[node]);
    assert_eq!(yard.verdict(id(1), node), Verdict::Stopped);
    assert_eq!(yard.read(id(1), node, "tidy"), "tidy\n");
}

fn a_job_that_ignores_sigterm_is_killed_after_its_grace(yard: Yard) {
    let node = yard.node(1);
    let script = "trap '' TERM; echo $$ > $OUT/pid; while :; do sleep 0.05; done";
    let mut plan = yard.plan(id(1), node, script);
    plan.grace_seconds = 1;
    yard.launch(node, plan);
    let pid = yard.line(id(1), node, "pid");
    yard.engine().ensure_stopped(id(1), &[node]);
    assert_eq!(yard.verdict(id(1), node), Verdict::Stopped);
    assert!(!yard.lives(&pid));
}

#[test]
fn a_daemon_does_not_outlive_its_job() {
    for script in [DAEMON, NAMELESS_DAEMON] {
        for yard in Yard::each() {
            daemon_ends(&yard, script);
        }
    }
}

fn daemon_ends(yard: &Yard, script: &str) {
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, script);
    plan.grace_seconds = 0;
    yard.launch(node, plan);
    let daemon = yard.line(id(1), node, "daemon");
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
    assert!(!yard.lives(&daemon));
    assert_eq!(yard.run(id(2), node, "true"), Verdict::Exited(0));
}

fn the_first_failure_ends_the_attempt(yard: Yard) {
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, "echo $$ > $OUT/pid; sleep 1000");
    let out = yard.shown(id(1), node);
    let fails = "until [ -s $OUT/pid ]; do sleep 0.01; done; exit 9";
    plan.processes
        .push(process("rank 1", fails, &plan.job_directory, &out));
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(9));
    assert!(!yard.lives(&yard.read(id(1), node, "pid")));
}

fn who_does_not_decide_is_stopped_when_the_others_are_done(yard: Yard) {
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, "until [ -s $OUT/pid ]; do sleep 0.01; done");
    let out = yard.shown(id(1), node);
    let mut server = process(
        "ps 0",
        "echo $$ > $OUT/pid; sleep 1000",
        &plan.job_directory,
        &out,
    );
    server.decides = false;
    plan.processes.push(server);
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
    assert!(!yard.lives(&yard.read(id(1), node, "pid")));
}

fn a_node_without_processes_is_done_at_once(yard: Yard) {
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, "");
    plan.processes.clear();
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
}

fn a_job_that_runs_too_long_is_ended(yard: Yard) {
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, "echo $$ > $OUT/pid; exec sleep 1000");
    plan.max_seconds = 1;
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::TimedOut);
    assert!(!yard.lives(&yard.read(id(1), node, "pid")));
}

#[test]
fn a_killed_node_leaves_nothing_running() {
    for yard in Yard::each() {
        killed_node(&yard, DAEMON);
    }
    for yard in std::iter::once(Yard::new()).chain(Yard::isolated()) {
        killed_node(&yard, NAMELESS_DAEMON);
    }
}

fn killed_node(yard: &Yard, daemon: &str) {
    let node = yard.node(1);
    let script = format!("{daemon} echo $$ > $OUT/pid; sleep 1000");
    yard.launch(node, yard.plan(id(1), node, &script));
    let pid = yard.line(id(1), node, "pid");
    let daemon = yard.line(id(1), node, "daemon");
    assert!(yard.lives(&pid) && yard.lives(&daemon));
    let process = rustix::process::Pid::from_raw(yard.status(node).pid).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    yard.until_node(node, &NodeSeen::Gone);
    assert!(!yard.lives(&pid) && !yard.lives(&daemon));

    // Its uid is used up: nothing is started under it again.
    let gone = |yard: &Yard| {
        let seen = yard.seen();
        seen.iter()
            .filter(|s| {
                matches!(
                    s,
                    trainyard_engine::Observation::Node {
                        seen: NodeSeen::Gone,
                        ..
                    }
                )
            })
            .count()
    };
    let before = gone(yard);
    yard.engine().ensure_node(yard.node_plan(node, None));
    yard.launch(node, yard.plan(id(1), node, "true"));
    assert_eq!(gone(yard), before + 2);
    yard.engine().release_node(node);
    yard.until("its folder is gone", || {
        (!yard.folder(node).root().exists()).then_some(())
    });
}

fn a_node_whose_folder_is_gone_ends_with_all_it_runs(yard: Yard) {
    let node = yard.node(1);
    yard.launch(node, yard.plan(id(1), node, "echo $$ > $OUT/pid; sleep 1000"));
    let pid = yard.line(id(1), node, "pid");
    let process = yard.status(node).pid.to_string();
    std::fs::rename(yard.folder(node).root(), yard.root.join("elsewhere")).unwrap();
    yard.until("the node ends", || {
        (!runs(&process) && !yard.lives(&pid)).then_some(())
    });
    yard.until_node(node, &NodeSeen::Gone);
}
