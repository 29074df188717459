//! How containers end, and that nothing of them stays.

use std::fs;
use std::path::PathBuf;

use trainyard_domain::ids::Uid;
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen};

use super::{Yards, contained, run};
use crate::images::IMAGE;
use crate::yard::{Yard, id, runs};

/// Waits until nothing of the yard's containers is left: processes, mounts, directories in the cgroup trees.
fn until_nothing_is_left(yards: &Yards, yard: &Yard, node: Uid) {
    let folder = yard.folder(node).root().display().to_string();
    let environment = |pid: rustix::process::Pid| {
        let bytes = fs::read(format!("/proc/{}/environ", pid.as_raw_pid())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    yard.until("no process and no mount of a container is left", || {
        let processes = trainyard_node::machine::processes();
        let left = processes.into_iter().any(|pid| {
            environment(pid).contains(&format!("TRAINYARD_PLACEMENT={folder}:"))
                && runs(&pid.as_raw_pid().to_string())
        });
        let mounted = fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .contains(&folder);
        (!left && !mounted && yards.at_docker(yard, node).is_empty()).then_some(())
    });
}

pub fn a_stopped_job_may_tidy_up_and_what_ignores_that_is_killed(yards: &Yards) {
    for yard in yards.each() {
        let node = yard.node(1);
        let script = "trap 'echo tidy; exit 0' TERM; echo on; while :; do sleep 0.05; done";
        yard.launch(node, contained(&yard, node, script, IMAGE));
        yard.line(id(1), node, "stdout.txt");
        yard.engine().ensure_stopped(id(1), &[node]);
        assert_eq!(yard.verdict(id(1), node), Verdict::Stopped);
        assert_eq!(yard.read(id(1), node, "stdout.txt"), "on\ntidy\n");

        let script =
            "setsid env -i PATH=$PATH sh -c 'trap \"\" TERM; while :; do sleep 1; done' & trap '' TERM
            echo on; while :; do sleep 0.05; done";
        let mut plan = contained(&yard, node, script, IMAGE);
        plan.placement = id(2);
        plan.grace_seconds = 1;
        fs::remove_file(yard.out(id(1), node).join("stdout.txt")).unwrap();
        yard.launch(node, plan);
        yard.line(id(1), node, "stdout.txt");
        yard.engine().ensure_stopped(id(2), &[node]);
        assert_eq!(yard.verdict(id(2), node), Verdict::Stopped);
        check_that_containers_are_gone(yards, &yard, node);
    }
}

/// What is left while the node lives: nothing of a container.
fn check_that_containers_are_gone(yards: &Yards, yard: &Yard, node: Uid) {
    let folder = yard.folder(node).root().display().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&folder), "{mounts}");
    assert_eq!(yards.at_docker(yard, node), "");
    let inside = yard.folder(node).root().join("container/inside");
    assert!(!inside.exists() && !inside.with_file_name("order.json").exists());
}

pub fn a_daemon_in_the_container_does_not_outlive_its_job_and_may_tidy_up(yards: &Yards) {
    let yard = yards.one();
    let node = yard.node(1);
    let script = "(setsid bash -c 'trap \"echo tidy > $OUT/tidy; exit\" TERM; echo > $OUT/on; while :; do sleep 0.05; done' &)
        until [ -e $OUT/on ]; do sleep 0.01; done";
    assert_eq!(
        run(&yard, node, contained(&yard, node, script, IMAGE)),
        Verdict::Exited(0)
    );
    assert_eq!(yard.read(id(1), node, "tidy"), "tidy\n");
}

pub fn a_job_that_runs_too_long_is_ended_in_its_container(yards: &Yards) {
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "exec sleep 1000", IMAGE);
    plan.max_seconds = 3;
    assert_eq!(run(&yard, node, plan), Verdict::TimedOut);
    check_that_containers_are_gone(yards, &yard, node);
}

pub fn a_killed_node_leaves_nothing_of_its_container(yards: &Yards) {
    for yard in yards.each() {
        let node = yard.node(1);
        let script = "setsid env -i PATH=$PATH sleep 1000 & echo on; sleep 1000";
        yard.launch(node, contained(&yard, node, script, IMAGE));
        yard.line(id(1), node, "stdout.txt");
        let process = rustix::process::Pid::from_raw(yard.status(node).pid).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        yard.until_node(node, &NodeSeen::Gone);
        until_nothing_is_left(yards, &yard, node);
        yard.engine().release_node(node);
        yard.until("its folder is gone", || {
            (!yard.folder(node).root().exists()).then_some(())
        });
        assert_eq!(container_directories(&yard, node), Vec::<PathBuf>::new());
    }
}

pub fn a_node_that_leaves_takes_its_container_along(yards: &Yards) {
    for yard in yards.each() {
        let node = yard.node(1);
        let script = "trap '' TERM; echo on; sleep 1000";
        yard.launch(node, contained(&yard, node, script, IMAGE));
        yard.line(id(1), node, "stdout.txt");
        let folder = yard.folder(node);
        yard.engine().release_node(node);
        until_nothing_is_left(yards, &yard, node);
        yard.until("its folder is gone", || (!folder.root().exists()).then_some(()));
        assert_eq!(container_directories(&yard, node), Vec::<PathBuf>::new());
    }
}

/// Directories of a node's containers in the cgroup trees.
fn container_directories(yard: &Yard, node: Uid) -> Vec<PathBuf> {
    let folder = yard.folder(node);
    let nodes = folder.root().parent().unwrap();
    let names = trainyard_node::shared_directories(nodes);
    let names = names.iter().filter_map(|path| path.file_name());
    let trees: Vec<PathBuf> = fs::read_dir("/sys/fs/cgroup")
        .map(|trees| trees.flatten().map(|tree| tree.path()).collect())
        .unwrap_or_default();
    names
        .flat_map(|name| trees.iter().map(move |tree| tree.join("trainyard").join(name)))
        .map(|all| all.join(node.to_string()).join("job/container"))
        .filter(|directory| directory.exists())
        .collect()
}

pub fn a_container_outlives_the_engine(yards: &Yards) {
    let mut yard = yards.one();
    let node = yard.node(1);
    let script = "echo on; until [ -e $OUT/go ]; do sleep 0.02; done; exit 5";
    yard.launch(node, contained(&yard, node, script, IMAGE));
    yard.line(id(1), node, "stdout.txt");
    yard.close();
    fs::write(yard.out(id(1), node).join("go"), "").unwrap();
    yard.open();
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(5));
}
