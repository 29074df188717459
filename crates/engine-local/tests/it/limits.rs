//! Cores, memory and processes of a node, as the kernel enforces them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::NodeLimits;
use trainyard_domain::state::{Cut, Shortage, Verdict};
use trainyard_engine::{Engine, NodeSeen};
use trainyard_node::cgroup::{Controller, support};

use crate::yard::{Yard, at_both_levels, id};

at_both_levels!(
    a_job_over_its_memory_is_killed_and_told_why,
    a_job_that_went_on_without_what_was_killed_has_succeeded,
    the_node_outlives_a_job_of_small_processes_over_its_memory,
    two_processes_that_spin_share_one_core,
    too_many_processes_are_refused_and_harm_no_other_node,
    limits_hold_for_the_setup_task_too,
    a_killed_node_leaves_no_directory,
    a_node_that_leaves_leaves_no_directory,
);

const MIB: u64 = 1 << 20;
/// Wants 300 MiB at once, in a process of its own.
const GREEDY: &str = "head -c 300M /dev/zero | tail -c 299M > /dev/null; got=${PIPESTATUS[1]};";

fn small() -> NodeLimits {
    NodeLimits {
        vm_size: "SMALL".to_owned(),
        cores: 1,
        memory: 64 * MIB,
        processes: 40,
    }
}

/// Whether the machine enforces it; what is left out is said.
fn enforced(one: Controller) -> bool {
    let found = support().controllers.remove(&one);
    let is = matches!(found, Some(Ok(_)));
    if !is {
        println!(
            "left out: this machine does not limit {} ({found:?})",
            one.limits()
        );
    }
    is
}

/// The node's directories in the cgroup trees, and what is in them.
fn directories(yard: &Yard) -> Vec<PathBuf> {
    let nodes = yard.root.join("nodes").canonicalize().unwrap();
    let all = trainyard_node::shared_directories(&nodes).into_iter();
    all.filter(|directory| directory.exists()).collect()
}

fn count(yard: &Yard, node: Uid, file: &str, name: &str) -> u64 {
    let read = |directory: PathBuf| {
        let text = fs::read_to_string(directory.join(node.to_string()).join(file)).ok()?;
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(found, _)| *found == name)?.1.parse().ok()
    };
    directories(yard).into_iter().find_map(read).unwrap()
}

fn a_job_over_its_memory_is_killed_and_told_why(yard: Yard) {
    if !enforced(Controller::Memory) {
        return;
    }
    let node = yard.limited(1, small());
    let verdict = yard.run(id(1), node, &format!("{GREEDY} exit $got"));
    let Verdict::OutOfMemory(Cut::Exited(137), shortage) = verdict else {
        panic!("{verdict:?}");
    };
    let Shortage {
        limit,
        highest,
        vm_size,
    } = shortage;
    assert_eq!((limit, vm_size.as_str()), (64 * MIB, "SMALL"));
    assert!((60 * MIB..=64 * MIB).contains(&highest.unwrap()), "{highest:?}");
    let log = yard.read(id(1), node, "execution.log");
    assert!(log.contains("1 process was killed for want of memory"), "{log}");
    assert!(log.contains("over: exit code 137, for want of memory"), "{log}");
    // Of the next job it says nothing.
    assert_eq!(yard.run(id(2), node, "exit 3"), Verdict::Exited(3));
    assert_eq!(yard.run(id(3), node, "exit 137"), Verdict::Exited(137));
}

fn a_job_that_went_on_without_what_was_killed_has_succeeded(yard: Yard) {
    if !enforced(Controller::Memory) {
        return;
    }
    let node = yard.limited(1, small());
    assert_eq!(
        yard.run(id(1), node, &format!("{GREEDY} exit 0")),
        Verdict::Exited(0)
    );
    let log = yard.read(id(1), node, "execution.log");
    assert!(
        log.contains("killed for want of memory; the highest use was 6"),
        "{log}"
    );
}

/// As a container's are. What v1 counts there is gone with the directory.
#[test]
fn a_process_that_is_killed_in_a_directory_of_its_own_counts() {
    if !enforced(Controller::Memory) {
        return;
    }
    let yard = Yard::new();
    let node = yard.limited(1, small());
    let homes = directories(&yard)
        .into_iter()
        .map(|all| all.join(node.to_string()));
    let home = homes
        .clone()
        .find(|home| home.join("memory.oom_control").exists());
    let home = home
        .or_else(|| homes.map(|home| home.join("job")).find(|job| job.exists()))
        .unwrap();
    let inner = home.join("container");
    let script = format!(
        "mkdir {inner}; (echo 0 > {inner}/cgroup.procs; {GREEDY}); until rmdir {inner}; do :; done; exit 4",
        inner = inner.display()
    );
    let verdict = yard.run(id(1), node, &script);
    assert!(
        matches!(verdict, Verdict::OutOfMemory(Cut::Exited(4), _)),
        "{verdict:?}"
    );
    assert_eq!(yard.run(id(2), node, "exit 3"), Verdict::Exited(3));
}

/// Many small processes: the node would be as good a choice for the kernel as any of them.
fn the_node_outlives_a_job_of_small_processes_over_its_memory(yard: Yard) {
    if !enforced(Controller::Memory) {
        return;
    }
    let limits = NodeLimits {
        processes: 4096,
        memory: 32 * MIB,
        ..small()
    };
    let node = yard.limited(1, limits);
    let script = r#"cat /proc/self/oom_score_adj > $OUT/score
exec python3 -c '
import os, time
for number in range(200):
    if os.fork() == 0:
        mine = b"x" * (1 << 20)
        time.sleep(1000)
os.wait()
raise SystemExit(1)
'"#;
    let verdict = yard.run(id(1), node, script);
    assert!(matches!(verdict, Verdict::OutOfMemory(..)), "{verdict:?}");
    assert_eq!(yard.read(id(1), node, "score"), "500\n");
    assert_eq!(yard.run(id(2), node, "true"), Verdict::Exited(0));
}

/// In a namespace of its own it may mount the trees; the directory with its limits must not be in them.
#[test]
fn a_job_does_not_lift_its_limits_by_a_mount_of_control_groups() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.limited(1, small());
    let figures = |file: &str| {
        let read = |all: PathBuf| fs::read_to_string(all.join(node.to_string()).join(file)).ok();
        directories(&yard).into_iter().find_map(read)
    };
    let files = [
        ("memory", "memory.limit_in_bytes", "99999997952"),
        ("memory", "memory.memsw.limit_in_bytes", "99999997952"),
        ("cpu", "cpu.cfs_quota_us", "-1"),
        ("pids", "pids.max", "max"),
    ];
    let before = files.map(|(_, file, _)| figures(file));
    let lift = files.map(|(tree, file, more)| {
        format!("mkdir -p {tree}; mount -t cgroup -o {tree} none {tree}; echo {more} > {tree}/{file} && echo {tree} written")
    });
    let script = format!("unshare -UrmC bash -c '{}'; {GREEDY} exit $got", lift.join("\n"));
    let verdict = yard.run(id(1), node, &script);
    let said = yard.read(id(1), node, "stdout.txt") + &yard.read(id(1), node, "stderr.txt");
    assert_eq!(files.map(|(_, file, _)| figures(file)), before, "{said}");
    if enforced(Controller::Memory) {
        assert!(matches!(verdict, Verdict::OutOfMemory(..)), "{verdict:?} {said}");
    }
    if !said.contains("memory written") {
        println!("left out: jobs cannot mount control groups here at all ({said})");
    }
}

fn two_processes_that_spin_share_one_core(yard: Yard) {
    if !enforced(Controller::Cpu) {
        return;
    }
    let node = yard.limited(1, small());
    let script = "trap 'exit 0' TERM; (while :; do :; done) & while :; do :; done";
    yard.launch(node, yard.plan(id(1), node, script));
    yard.until("the kernel holds it back", || {
        (count(&yard, node, "cpu.stat", "nr_throttled") > 0).then_some(())
    });
    yard.engine().ensure_stopped(id(1), &[node]);
    assert_eq!(yard.verdict(id(1), node), Verdict::Stopped);
}

fn too_many_processes_are_refused_and_harm_no_other_node(yard: Yard) {
    if !enforced(Controller::Pids) {
        return;
    }
    let (crowded, other) = (yard.limited(1, small()), yard.limited(2, small()));
    let script = r#"exec python3 -c '
import os, sys, time
out = os.environ["OUT"]
for number in range(200):
    try:
        child = os.fork()
    except OSError:
        print(number, file=open(out + "/refused", "w"), flush=True)
        time.sleep(1000)
    if child == 0:
        time.sleep(1000)
'"#;
    yard.launch(crowded, yard.plan(id(1), crowded, script));
    let started: u64 = yard.line(id(1), crowded, "refused").parse().unwrap();
    assert!((30..=43).contains(&started), "{started}");
    assert_eq!(
        yard.run(id(2), other, "for n in {1..20}; do /bin/true; done"),
        Verdict::Exited(0)
    );
    yard.engine().ensure_stopped(id(1), &[crowded]);
    assert_eq!(yard.verdict(id(1), crowded), Verdict::Stopped);
    let log = yard.read(id(1), crowded, "execution.log");
    assert!(
        log.contains("not started: no more than 40 are allowed on SMALL"),
        "{log}"
    );
    assert_eq!(
        yard.run(id(3), crowded, "/bin/true; /bin/true"),
        Verdict::Exited(0)
    );
}

fn limits_hold_for_the_setup_task_too(yard: Yard) {
    if !enforced(Controller::Memory) {
        return;
    }
    let mut plan = yard.node_plan(Uid(1), Some(&format!("{GREEDY} exit $got")));
    plan.limits = Some(small());
    yard.engine().ensure_node(plan);
    let failed = yard.until("the setup fails", || {
        yard.seen().into_iter().find_map(|seen| match seen {
            trainyard_engine::Observation::Node {
                seen: NodeSeen::SetupFailed(errors),
                ..
            } => Some(errors),
            _ => None,
        })
    });
    assert!(
        failed[0]
            .details
            .contains(&("exitCode".to_owned(), "137".to_owned())),
        "{failed:?}"
    );
}

fn a_killed_node_leaves_no_directory(yard: Yard) {
    let nodes = [yard.limited(1, small()), yard.limited(2, small())];
    let script = "(setsid env -i bash -c 'echo $$ > \"$0\"/far; exec sleep 1000' $OUT &); echo $$ > $OUT/pid; sleep 1000";
    for node in nodes {
        yard.launch(node, yard.plan(id(1), node, script));
        yard.note_namespace(node);
        let (pid, far) = (yard.line(id(1), node, "pid"), yard.line(id(1), node, "far"));
        let process = Pid::from_raw(yard.status(node).pid).unwrap();
        kill_process(process, Signal::KILL).unwrap();
        yard.until("the node is gone", || {
            let left = directories(&yard)
                .iter()
                .any(|all| all.join(node.to_string()).exists());
            (!left && !yard.lives(&pid) && !yard.lives(&far)).then_some(())
        });
    }
    assert!(directories(&yard).is_empty());
}

fn a_node_that_leaves_leaves_no_directory(yard: Yard) {
    let node = yard.limited(1, small());
    assert_eq!(yard.run(id(1), node, "true"), Verdict::Exited(0));
    if Controller::ALL.into_iter().any(enforced) {
        assert!(!directories(&yard).is_empty());
    }
    yard.engine().release_node(node);
    yard.until("its directories are gone", || {
        directories(&yard).is_empty().then_some(())
    });
}

/// Without rights there are no limits, and jobs run all the same.
#[test]
fn a_node_of_an_ordinary_user_says_what_it_cannot_limit() {
    if geteuid().is_root() {
        return as_an_ordinary_user("limits::a_node_of_an_ordinary_user_says_what_it_cannot_limit");
    }
    let yard = Yard::new();
    let node = yard.limited(1, small());
    assert_eq!(yard.run(id(1), node, "true"), Verdict::Exited(0));
    let log = fs::read_to_string(yard.folder(node).log()).unwrap();
    for (one, found) in support().controllers {
        let missing = log.contains(&format!("no limit of {}: ", one.limits()));
        assert_eq!(missing, found.is_err(), "{one:?} {found:?} {log}");
    }
}

/// Runs a test of this program once more as a user without rights.
fn as_an_ordinary_user(test: &str) {
    let program = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test once more, as another user")]
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.env("TMPDIR", folder.path()).current_dir(folder.path());
    let ran = command
        .arg(&program)
        .args([test, "--exact", "--nocapture"])
        .output();
    match ran {
        // 127: the program lies where another user cannot reach it.
        Ok(ran) if ran.status.code() != Some(127) => {
            let said = String::from_utf8_lossy(&ran.stdout);
            assert!(
                ran.status.success() && said.contains("1 passed"),
                "{said}{}",
                String::from_utf8_lossy(&ran.stderr)
            );
        }
        found => println!("left out: no other user can run this test ({found:?})"),
    }
}
