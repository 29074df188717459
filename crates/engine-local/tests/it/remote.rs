//! Nodes that wait for what other nodes start on them, and the shell by which that is done.

use std::path::PathBuf;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{LaunchPlan, Remote};
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, Observation, PlacementSeen};

use crate::yard::{Yard, id};

/// A job of two nodes: the script runs on the first, the second waits. Both take commands, by the names `a` and `b`.
pub fn pair(yard: &Yard, script: &str) -> [(Uid, LaunchPlan); 2] {
    let nodes = [yard.node(1), yard.node(2)];
    let mut plans = yard.plans(id(1), &nodes, script);
    for ((node, plan), name) in plans.iter_mut().zip(["a", "b"]) {
        let shared = plan.shared_directory.source.clone();
        let shown = if yard.is_isolated() {
            &plan.shared_directory.path
        } else {
            &shared
        };
        let variables = [
            ("AZ_BATCHAI_SHARED_JOB_TEMP", shown.clone()),
            ("OUT", yard.shown(id(1), *node)),
            ("SHELL_OF_NODES", yard.engine().paths(*node).remote_shell),
            ("ON", name.to_owned()),
            ("AZ_BATCH_HOST_LIST", "a,b".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        plan.remote = Some(Remote {
            socket: format!("{shared}/.node-{name}"),
            environment: variables.clone().into(),
            directory: plan.job_directory.clone(),
            other_sockets: vec![format!("{shared}/.node-tvm-{name}")],
            tools: yard.engine().paths(*node).tools().map(str::to_owned),
        });
        plan.processes[0].environment.extend(variables);
        if name == "b" {
            plan.processes.clear();
            plan.until_stopped = true;
        }
    }
    let [first, second] = [plans.remove(0), plans.remove(0)];
    [first, second]
}

pub fn launch(yard: &Yard, plans: [(Uid, LaunchPlan); 2]) -> [Uid; 2] {
    let nodes = [plans[0].0, plans[1].0];
    yard.engine().ensure_launched(plans.into());
    nodes
}

/// Stops the node that waits, once the first has ended.
fn stopped(yard: &Yard, node: Uid) -> Verdict {
    yard.engine().ensure_stopped(id(1), &[node]);
    yard.verdict(id(1), node)
}

#[test]
fn a_command_runs_on_the_other_node_with_the_callers_streams_and_its_exit_code_comes_back() {
    let yard = Yard::new();
    let script = r#"echo typed | $SHELL_OF_NODES -x root@b 'cat; echo "on $ON"; pwd; echo complaint >&2; exit 7'
        echo "code $?""#;
    let [a, b] = launch(&yard, pair(&yard, script));
    assert_eq!(yard.verdict(id(1), a), Verdict::Exited(0));
    let directory = yard.plan(id(1), b, "").job_directory;
    let expected = format!("typed\non b\n{directory}\ncode 7\n");
    assert_eq!(yard.read(id(1), a, "stdout.txt"), expected);
    assert_eq!(yard.read(id(1), a, "stderr.txt"), "complaint\n");
    assert_eq!(stopped(&yard, b), Verdict::Stopped);
    let shared = yard.root.join("shared").join(id(1).to_string());
    assert_eq!(
        std::fs::read_dir(shared).unwrap().count(),
        0,
        "the sockets are gone"
    );
}

#[test]
fn a_node_begins_later_and_is_waited_for() {
    let yard = Yard::new();
    let [(a, first), (b, second)] = pair(&yard, "$SHELL_OF_NODES b echo '$ON'");
    yard.launch(a, first);
    yard.until("the caller waits", || calls(&yard).pop());
    yard.launch(b, second);
    let verdict = yard.verdict(id(1), a);
    let complaints = yard.read(id(1), a, "stderr.txt");
    assert_eq!(verdict, Verdict::Exited(0), "{complaints}");
    assert_eq!(yard.read(id(1), a, "stdout.txt"), "b\n");
    stopped(&yard, b);
}

/// Processes that call another node of this yard.
fn calls(yard: &Yard) -> Vec<PathBuf> {
    let text = yard
        .root
        .join("shared")
        .join(id(1).to_string())
        .display()
        .to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| {
            let has = |file: &str, text: &str| {
                let content = std::fs::read(path.join(file)).unwrap_or_default();
                String::from_utf8_lossy(&content).contains(text)
            };
            has("cmdline", "trainyard-test-node\0remote") && has("environ", &text)
        })
        .collect()
}

#[test]
fn who_is_no_node_of_the_job_is_named_with_those_that_are() {
    let yard = Yard::new();
    let script =
        "unset AZ_BATCHAI_SHARED_JOB_TEMP; $SHELL_OF_NODES b true; echo $?; $SHELL_OF_NODES b; echo $?";
    let [a, b] = launch(&yard, pair(&yard, script));
    assert_eq!(yard.verdict(id(1), a), Verdict::Exited(0));
    assert_eq!(yard.read(id(1), a, "stdout.txt"), "255\n255\n");
    let complaints = yard.read(id(1), a, "stderr.txt");
    assert!(complaints.contains("not a process of a job"), "{complaints}");
    assert!(complaints.contains("PROGRAM NODE COMMAND"), "{complaints}");
    stopped(&yard, b);
}

#[test]
fn what_was_started_on_another_node_ends_with_the_attempt_there() {
    for yard in [Yard::new(), Yard::without_cgroups()] {
        let script = "$SHELL_OF_NODES b 'setsid sleep 612 & echo $! > $OUT/pid; echo >> $OUT/pid'; echo started > $OUT/line";
        let [a, b] = launch(&yard, pair(&yard, script));
        assert_eq!(yard.verdict(id(1), a), Verdict::Exited(0));
        let pid = yard.line(id(1), b, "pid");
        assert!(alive(&pid));
        assert_eq!(stopped(&yard, b), Verdict::Stopped);
        assert!(!alive(&pid));
    }
}

#[test]
fn a_caller_that_is_killed_hangs_up_on_its_command() {
    let yard = Yard::new();
    let script = "$SHELL_OF_NODES b 'echo $$ > $OUT/pid; exec sleep 613' & caller=$!; \
        until [ -s $WHERE/pid ]; do sleep 0.01; done; kill -9 $caller; \
        until [ -e $WHERE/go ]; do sleep 0.01; done";
    let mut plans = pair(&yard, script);
    let where_b = yard.out(id(1), plans[1].0);
    let variable = ("WHERE".to_owned(), where_b.display().to_string());
    plans[0].1.processes[0].environment.extend([variable]);
    let [a, b] = launch(&yard, plans);
    let pid = yard.line(id(1), b, "pid");
    yard.until("the command has ended", || (!alive(&pid)).then_some(()));
    std::fs::write(where_b.join("go"), "").unwrap();
    assert_eq!(yard.verdict(id(1), a), Verdict::Exited(0));
    assert_eq!(stopped(&yard, b), Verdict::Stopped);
}

#[test]
fn many_commands_run_at_once() {
    let yard = Yard::new();
    let script = "for i in $(seq 100); do $SHELL_OF_NODES b \"exit $((i % 2))\" & pids[i]=$!; done; \
        for i in $(seq 100); do wait ${pids[i]}; echo $?; done > codes; sort codes | uniq -c";
    let [a, b] = launch(&yard, pair(&yard, script));
    assert_eq!(yard.verdict(id(1), a), Verdict::Exited(0));
    let words = yard.read(id(1), a, "stdout.txt");
    let words: Vec<&str> = words.split_whitespace().collect();
    assert_eq!(words, ["50", "0", "50", "1"]);
    stopped(&yard, b);
}

/// Its streams are the caller's affair: the node never waits for who reads them.
#[test]
fn a_command_that_cannot_start_says_so_though_nobody_reads_its_stderr() {
    let yard = Yard::new();
    let script = "mkfifo full; exec 9<>full; head -c 65536 /dev/zero >&9; $SHELL_OF_NODES b true 2>&9 & \
        until grep -q 'could not be started' $LOG_OF_B; do sleep 0.01; done; kill $!; \
        $SHELL_OF_NODES b true; echo \"code $?\"";
    let mut plans = pair(&yard, script);
    let log = ("LOG_OF_B".to_owned(), plans[1].1.execution_log.clone());
    plans[0].1.processes[0].environment.extend([log]);
    plans[1].1.remote.as_mut().unwrap().directory = "/nowhere".to_owned();
    let [a, b] = launch(&yard, plans);
    assert_eq!(yard.verdict(id(1), a), Verdict::Exited(0));
    assert_eq!(yard.read(id(1), a, "stdout.txt"), "code 255\n");
    let complaints = yard.read(id(1), a, "stderr.txt");
    assert!(
        complaints.contains("b: ") && complaints.contains("its working directory is not there"),
        "{complaints}"
    );
    assert_eq!(stopped(&yard, b), Verdict::Stopped);
}

/// A node that has no descriptor left would neither see a stop nor find the processes that it has to end.
#[test]
fn more_callers_than_a_node_can_hold_wait_and_it_still_hears_a_stop() {
    let yard = Yard::new();
    let few = Rlimit {
        current: Some(64),
        maximum: Some(64),
    };
    let script =
        "for i in $(seq 100); do $SHELL_OF_NODES b 'echo >> $OUT/begun; exec sleep 614' & done; wait";
    let plans = pair(&yard, script);
    let node = Pid::from_raw(yard.status(plans[1].0).pid);
    prlimit(node, Resource::Nofile, few).unwrap();
    let [a, b] = launch(&yard, plans);
    yard.until("some commands run", || {
        (yard.read(id(1), b, "begun").lines().count() >= 16).then_some(())
    });
    yard.until("all callers call", || (calls(&yard).len() == 100).then_some(()));
    assert_eq!(stopped(&yard, b), Verdict::Stopped);
    yard.engine().ensure_stopped(id(1), &[a]);
    yard.verdict(id(1), a);
}

/// The waiting node is no success by itself, and what it runs beside does not decide.
#[test]
fn a_waiting_node_outlasts_the_processes_it_has() {
    let yard = Yard::new();
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, "echo over > $OUT/line; exit 3");
    plan.processes[0].decides = false;
    plan.until_stopped = true;
    yard.launch(node, plan);
    yard.line(id(1), node, "line");
    yard.until("the process has ended", || {
        yard.read(id(1), node, "execution.log")
            .contains("exit code 3")
            .then_some(())
    });
    assert_eq!(stopped(&yard, node), Verdict::Stopped);
}

/// A worker and its parameter server on one of two nodes; how long they may take.
fn worker_and_server(yard: &Yard, max_seconds: i64) -> Uid {
    let node = yard.node(1);
    let mut plan = yard.plan(id(1), node, "exec sleep 614");
    let mut worker = plan.processes[0].clone();
    plan.processes[0].decides = false;
    worker.arguments[2] = "true".to_owned();
    plan.processes.push(worker);
    plan.node_count = 2;
    plan.max_seconds = max_seconds;
    yard.launch(node, plan);
    yard.until("the worker has decided", || {
        let decided = |seen: &Observation| {
            matches!(
                seen,
                Observation::Placement {
                    seen: PlacementSeen::Decided,
                    ..
                }
            )
        };
        yard.seen().iter().any(decided).then_some(())
    });
    node
}

#[test]
fn a_server_goes_on_when_the_worker_beside_it_has_ended_and_the_end_is_the_workers() {
    let yard = Yard::new();
    let node = worker_and_server(&yard, 3600);
    assert_eq!(stopped(&yard, node), Verdict::Exited(0));
    // Its time is over before anybody stops it.
    let yard = Yard::new();
    let node = worker_and_server(&yard, 1);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
}

fn alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some(Some('Z' | 'X') | None))
}

#[test]
fn ssh_goes_to_a_node_by_address_or_name_and_to_others_by_the_real_one() {
    let yard = Yard::new();
    let script = r#"mkdir real; printf '#!/bin/sh\necho "real: $*"\n' > real/ssh; chmod +x real/ssh
        echo typed | ssh -o StrictHostKeyChecking=no -p 22 root@b 'cat; echo "on $ON"; exit 7'; echo "code $?"
        echo lost | ssh -n tvm-b cat; ssh b < /dev/null; echo "shell $?"
        echo 'echo "in a shell on $ON"' | ssh -tt b
        PATH=${PATH%%:*}:$PWD/real:$PATH ssh -p 2222 me@elsewhere.invalid -v echo done
        PATH=${PATH%%:*} /bin/sh -c 'ssh elsewhere.invalid true'; echo "code $?"
        ssh -N -L 1:b:2 b; echo "code $?""#;
    let [a, b] = launch(&yard, pair(&yard, script));
    let verdict = yard.verdict(id(1), a);
    let complaints = yard.read(id(1), a, "stderr.txt");
    assert_eq!(verdict, Verdict::Exited(0), "{complaints}");
    let expected = "typed\non b\ncode 7\nshell 0\nin a shell on b\n\
                    real: -p 2222 me@elsewhere.invalid -v echo done\ncode 255\ncode 255\n";
    assert_eq!(yard.read(id(1), a, "stdout.txt"), expected, "{complaints}");
    assert!(
        complaints.contains("no other ssh is in PATH; the job's nodes: a, b, tvm-a, tvm-b"),
        "{complaints}"
    );
    assert!(complaints.contains("ssh -N to b"), "{complaints}");
    stopped(&yard, b);
}

#[test]
fn preparations_of_a_job_reach_its_other_nodes() {
    let yard = Yard::new();
    let mut plans = pair(&yard, "echo ran");
    for ((node, plan), other) in plans.iter_mut().zip(["b", "a"]) {
        let remote = plan.remote.clone().unwrap();
        let out = yard.out(id(1), *node).display().to_string();
        let script = format!("ssh {other} echo \"prepared by \\$ON\"");
        let mut preparation = crate::yard::process("job preparation", &script, &plan.job_directory, &out);
        preparation.environment.extend(remote.environment);
        preparation.decides = false;
        plan.preparation = Some(preparation);
    }
    let [a, b] = launch(&yard, plans);
    assert_eq!(
        yard.verdict(id(1), a),
        Verdict::Exited(0),
        "{}",
        yard.read(id(1), a, "stderr.txt")
    );
    assert_eq!(yard.read(id(1), a, "stdout.txt"), "prepared by b\nran\n");
    assert_eq!(yard.read(id(1), b, "stdout.txt"), "prepared by a\n");
    stopped(&yard, b);
}
