//! What jobs see, and what is seen of them.

use std::collections::BTreeMap;
use std::fs;

use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{Behind, Mount};
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen, Observation};

use crate::yard::{Yard, at_both_levels, exists, id, process};

at_both_levels!(
    a_job_runs_and_its_output_is_there,
    exit_codes_and_signals_are_told_as_a_shell_tells_them,
    no_node_starts_the_toolkit_before_all_are_prepared,
    a_node_waiting_for_others_can_be_stopped,
    a_job_that_puts_pipes_where_its_files_are_does_not_hold_its_node_up,
);

fn a_job_runs_and_its_output_is_there(yard: Yard) {
    let node = yard.node(1);
    let verdict = yard.run(id(1), node, "echo to stdout; echo to stderr >&2; pwd > $OUT/pwd");
    assert_eq!(verdict, Verdict::Exited(0));
    assert_eq!(yard.read(id(1), node, "stdout.txt"), "to stdout\n");
    assert_eq!(yard.read(id(1), node, "stderr.txt"), "to stderr\n");
    let directory = yard.plan(id(1), node, "").job_directory;
    assert_eq!(yard.read(id(1), node, "pwd").trim(), directory);
    let log = yard.read(id(1), node, "execution.log");
    assert!(log.contains("rank 0 ended with exit code 0"), "{log}");
    assert!(!log.contains("hush"), "a secret is in the log: {log}");
}

fn exit_codes_and_signals_are_told_as_a_shell_tells_them(yard: Yard) {
    let node = yard.node(1);
    assert_eq!(yard.run(id(1), node, "exit 7"), Verdict::Exited(7));
    assert_eq!(yard.run(id(2), node, "kill -SEGV $$"), Verdict::Exited(139));
    let mut plan = yard.plan(id(3), node, "");
    plan.processes[0].arguments = vec!["no-such-program".to_owned()];
    yard.launch(node, plan);
    match yard.verdict(id(3), node) {
        Verdict::NotStarted(error, Some(127)) => assert_eq!(error.code, "JobStartFailed"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_process_gets_exactly_what_it_should() {
    for yard in Yard::each() {
        process_is_clean(&yard);
    }
}

/// Whoever starts the node may ignore signals, have a umask of its own and leave descriptors open.
#[test]
fn a_careless_starter_changes_nothing() {
    let careless =
        "trap '' HUP USR1 PIPE; umask 077; exec 7</etc/hosts 23</etc/passwd; exec \"$0\" node \"$@\"";
    process_is_clean(&Yard::started_by(careless));
}

fn process_is_clean(yard: &Yard) {
    let node = yard.node(1);
    let script = "ls -l /proc/self/fd > $OUT/fds; cat /proc/self/environ > $OUT/env; umask > $OUT/umask; \
                  grep -E 'Sig(Blk|Ign)|NSpid' /proc/self/status > $OUT/signals; \
                  cut -d' ' -f5 /proc/$$/stat > $OUT/group; echo $$ > $OUT/pid";
    let mut plan = yard.plan(id(1), node, script);
    let nothing_inherited = "exec /usr/bin/env -i /bin/ls -l /proc/self/fd";
    plan.processes.push(process(
        "fds",
        nothing_inherited,
        &plan.job_directory,
        &yard.shown(id(1), node),
    ));
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));

    let names: Vec<String> = yard
        .read(id(1), node, "env")
        .split('\0')
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned()))
        // What bash adds itself.
        .filter(|name| !["PWD", "SHLVL", "_", "OLDPWD"].contains(&name.as_str()))
        .collect();
    let mut names = names;
    names.sort();
    let wanted = [
        "HOME",
        "LANG",
        "OUT",
        "PASSED_ON",
        "PATH",
        "SECRET",
        "TRAINYARD_PLACEMENT",
        "TZ",
        "USER",
    ];
    assert_eq!(names, wanted);
    assert_eq!(yard.read(id(1), node, "umask"), "0022\n");
    let signals = yard.read(id(1), node, "signals");
    // Signals 32 and 33 belong to the C library, which ignores them in what it starts.
    let own = 1 << 31 | 1 << 32;
    for mask in signals
        .lines()
        .filter_map(|line| line.strip_prefix("Sig")?.split_once('\t'))
    {
        assert_eq!(u64::from_str_radix(mask.1, 16).unwrap() & !own, 0, "{signals}");
    }
    assert_eq!(yard.read(id(1), node, "group"), yard.read(id(1), node, "pid"));
    // ls itself has 0, 1, 2 and 3, the directory it reads.
    let descriptors = yard.read(id(1), node, "stdout.txt");
    assert_eq!(
        descriptors.lines().filter(|line| line.contains(" -> ")).count(),
        4,
        "{descriptors}"
    );
    assert!(descriptors.contains("0 -> /dev/null"), "{descriptors}");
}

#[test]
fn directories_mounts_and_files_are_made_and_leave_with_the_next_job() {
    let yard = Yard::new();
    let node = yard.node(1);
    let mut plan = yard.plan(
        id(1),
        node,
        "cp $PWD/hostfile $PWD/mounts/share/copy; echo x > shared/x; mkdir out/sub",
    );
    let job = plan.job_directory.clone();
    let share = yard.root.join("share");
    fs::create_dir(&share).unwrap();
    let source = Behind::Source(share.display().to_string());
    plan.mounts
        .push(Mount::new(format!("{job}/mounts/share"), source));
    plan.directories.push(format!("{job}/out"));
    plan.files = BTreeMap::from([(format!("{job}/hostfile"), "127.0.0.1\n".to_owned())]);
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
    assert_eq!(fs::read_to_string(share.join("copy")).unwrap(), "127.0.0.1\n");
    let shared = yard.root.join("shared").join(id(1).to_string());
    assert!(shared.join("x").exists());
    assert!(
        !exists(format!("{job}/mounts/share").as_ref()),
        "unmounted at the end"
    );
    assert!(exists(job.as_ref()), "the job directory stays until the next job");

    yard.engine().forget(id(1), node);
    assert_eq!(yard.run(id(2), node, "true"), Verdict::Exited(0));
    assert!(!exists(job.as_ref()));
    yard.until("the shared directory is gone", || {
        (!shared.exists()).then_some(())
    });
    assert!(share.join("copy").exists());
    yard.until("the trash is empty", || {
        (!yard.folder(node).view().join("trash").exists()).then_some(())
    });
}

#[test]
fn a_mount_where_something_else_is_fails_the_job() {
    let yard = Yard::new();
    let node = yard.node(1);
    let taken = yard.root.join("taken");
    fs::write(&taken, "").unwrap();
    let mut plan = yard.plan(id(1), node, "true");
    let source = Behind::Source(yard.root.join("share").display().to_string());
    plan.mounts.push(Mount::new(taken.display().to_string(), source));
    yard.launch(node, plan);
    match yard.verdict(id(1), node) {
        Verdict::NotStarted(error, Some(-1)) => assert_eq!(error.code, "MountFailed"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_setup_task_runs_once_and_its_failure_is_told() {
    for yard in Yard::each() {
        setup_runs(&yard);
    }
}

fn setup_runs(yard: &Yard) {
    yard.engine().ensure_node(yard.node_plan(
        Uid(1),
        Some("echo ran >> $OUT/ran; sleep 1000 & echo $! > $OUT/daemon"),
    ));
    yard.until_node(Uid(1), &NodeSeen::Ready);
    yard.note_namespace(Uid(1));
    assert_eq!(yard.run(id(1), Uid(1), "true"), Verdict::Exited(0));
    let out = yard.setup_out(Uid(1));
    assert_eq!(fs::read_to_string(out.join("ran")).unwrap(), "ran\n");
    let daemon = fs::read_to_string(out.join("daemon")).unwrap();
    assert!(yard.lives(&daemon), "what the setup task started is not a job's");
    yard.engine().release_node(Uid(1));
    yard.until_node(Uid(1), &NodeSeen::Gone);
    assert!(!yard.lives(&daemon));

    yard.engine().ensure_node(yard.node_plan(Uid(2), Some("exit 5")));
    let errors = yard.until("setup fails", || {
        yard.seen().into_iter().find_map(|seen| match seen {
            Observation::Node {
                seen: NodeSeen::SetupFailed(errors),
                ..
            } => Some(errors),
            _ => None,
        })
    });
    assert_eq!(errors[0].code, "SetupTaskFailed");
    assert!(
        errors[0]
            .details
            .contains(&("exitCode".to_owned(), "5".to_owned()))
    );
    let log = fs::read_to_string(yard.setup_out(Uid(2)).join("execution.log")).unwrap();
    assert!(log.contains("setup task ended with exit code 5"), "{log}");
}

fn no_node_starts_the_toolkit_before_all_are_prepared(yard: Yard) {
    let nodes = [yard.node(1), yard.node(2)];
    let mut plans = yard.plans(id(1), &nodes, "cat $OUT/../prepared-* > $OUT/found");
    for (node, plan) in &mut plans {
        let out = yard.shown(id(1), *node);
        // The second is slow: it waits until the first has been prepared, and a little more.
        let wait = if plan.node_index == 1 {
            "until [ -e $OUT/../prepared-0 ]; do sleep 0.02; done; sleep 0.2;"
        } else {
            ""
        };
        let script = format!("{wait} echo {0} > $OUT/../prepared-{0}", plan.node_index);
        plan.preparation = Some(process("job preparation", &script, &plan.job_directory, &out));
    }
    yard.engine().ensure_launched(plans);
    for node in nodes {
        assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
        assert_eq!(yard.read(id(1), node, "found"), "0\n1\n");
    }
}

fn a_node_waiting_for_others_can_be_stopped(yard: Yard) {
    let nodes = [yard.node(1), yard.node(2)];
    let mut plans = yard.plans(id(1), &nodes, "touch $OUT/started");
    for (node, plan) in &mut plans {
        let out = yard.shown(id(1), *node);
        let script = if plan.node_index == 0 { "true" } else { "exit 3" };
        plan.preparation = Some(process("job preparation", script, &plan.job_directory, &out));
    }
    yard.engine().ensure_launched(plans);
    assert_eq!(yard.verdict(id(1), nodes[1]), Verdict::PreparationFailed(3));
    yard.engine().ensure_stopped(id(1), &nodes);
    assert_eq!(yard.verdict(id(1), nodes[0]), Verdict::Stopped);
    assert!(!yard.out(id(1), nodes[0]).join("started").exists());
}

#[test]
fn a_long_data_folder_works() {
    let yard = Yard::below(&format!("{}/{}", "x".repeat(100), "y".repeat(100)));
    let node = yard.node(1);
    assert_eq!(yard.run(id(1), node, "echo there"), Verdict::Exited(0));
    assert_eq!(yard.read(id(1), node, "stdout.txt"), "there\n");
}

#[test]
fn a_node_is_small() {
    let yard = Yard::new();
    let node = yard.node(1);
    for job in 1..=20 {
        assert_eq!(yard.run(id(job), node, "true"), Verdict::Exited(0));
        yard.engine().forget(id(job), node);
    }
    let status = fs::read_to_string(format!("/proc/{}/status", yard.status(node).pid)).unwrap();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    println!("a node process has {kilobytes} kB resident");
    assert!(kilobytes < 10_000, "{kilobytes} kB");
}

#[test]
fn capacity_offers_free_ports() {
    let yard = Yard::new();
    let capacity = yard.engine().capacity(8);
    assert_eq!((capacity.max_nodes, capacity.gpus.len()), (64, 0));
    assert!(capacity.free_bytes > 0);
    assert_eq!(capacity.free_ports.len(), 8);
    let taken = std::net::TcpListener::bind(("127.0.0.1", capacity.free_ports[0])).unwrap();
    let all = yard.engine().capacity(usize::MAX).free_ports;
    assert!(all.len() > 5000, "{}", all.len());
    let again: Vec<u16> = (0..1250)
        .flat_map(|_| yard.engine().capacity(8).free_ports)
        .chain(all)
        .collect();
    assert!(!again.contains(&taken.local_addr().unwrap().port()));
}

/// Opening a pipe waits until somebody reads it: a node must not, whatever a job has put in the place of its files.
fn a_job_that_puts_pipes_where_its_files_are_does_not_hold_its_node_up(yard: Yard) {
    let node = yard.node(1);
    let script = "rm $OUT/execution.log; mkfifo $OUT/execution.log; exit 3";
    assert_eq!(yard.run(id(1), node, script), Verdict::Exited(3));
    let mut plan = yard.plan(id(2), node, "true");
    let out = yard.shown(id(2), node);
    plan.preparation = Some(process(
        "job preparation",
        "mkfifo $OUT/pipe",
        &plan.job_directory,
        &out,
    ));
    plan.processes[0].stdout = format!("{out}/pipe");
    yard.launch(node, plan);
    let verdict = yard.verdict(id(2), node);
    assert!(
        matches!(verdict, Verdict::NotStarted(_, Some(126))),
        "{verdict:?}"
    );
}
