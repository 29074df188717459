//! Jobs in containers, by real podman with an image made on the spot.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{Behind, Container, LaunchPlan, Mount, NodeLimits};
use trainyard_domain::state::{Cut, Verdict};
use trainyard_engine::{Engine, NodeSeen};
use trainyard_engine_local::isolation_here;
use trainyard_node::cgroup::{Controller, support};
use trainyard_node::container::{Choice, Settings};
use trainyard_node::machine::since_boot;

use crate::images::{self, EMPTY, IMAGE, WITHOUT_BASH};
use crate::yard::{Yard, id, process, runs};

/// Yards whose jobs find the image, with and without the cgroup tree; none where it cannot be made.
struct Yards {
    images: tempfile::TempDir,
}

impl Yards {
    fn new() -> Option<Yards> {
        match images::folder() {
            Ok(images) => Some(Yards { images }),
            Err(left_out) => {
                println!("{left_out}");
                None
            }
        }
    }

    fn one(&self) -> Yard {
        Yard::with_containers(self.settings(), true, isolation_here(&[]).is_ok())
    }

    /// With and without isolation, with and without the cgroup tree.
    fn each(&self) -> impl Iterator<Item = Yard> {
        let levels: &[bool] = if isolation_here(&[]).is_ok() {
            &[false, true]
        } else {
            &[false]
        };
        let kinds = levels
            .iter()
            .flat_map(|isolated| [(*isolated, true), (*isolated, false)]);
        kinds.map(|(isolated, cgroups)| Yard::with_containers(self.settings(), cgroups, isolated))
    }

    fn settings(&self) -> Settings {
        Settings {
            images: Some(self.images.path().to_owned()),
            ..Settings::default()
        }
    }
}

pub fn contained(yard: &Yard, node: Uid, script: &str, image: &str) -> LaunchPlan {
    let mut plan = yard.plan(id(1), node, script);
    // The directories of the test are outside of what a node shows.
    let out = yard.out(id(1), node);
    fs::create_dir_all(&out).unwrap();
    if !yard.is_isolated() {
        let behind = Behind::Source(out.display().to_string());
        let path = format!("{}/out", plan.job_directory);
        plan.mounts.push(Mount::new(path, behind));
    }
    plan.container = Some(Container {
        image: image.to_owned(),
        reference: format!("docker.io/{image}"),
        shm_bytes: None,
        login: None,
        remote_shell: yard.engine().paths(node).remote_shell,
    });
    plan
}

fn run(yard: &Yard, node: Uid, plan: LaunchPlan) -> Verdict {
    yard.launch(node, plan);
    yard.verdict(id(1), node)
}

#[test]
fn a_job_runs_in_its_image_and_its_exit_code_comes_back() {
    let Some(yards) = Yards::new() else { return };
    for yard in yards.each() {
        let node = yard.node(1);
        let script = r#"busybox | head -1 | cut -c1-7; [ -e /etc/debian_version ] || echo "no Debian"; pwd; id -u
            echo "$SECRET $HOME $PASSED_ON $$"; echo complaint >&2; exit 7"#;
        let plan = contained(&yard, node, script, IMAGE);
        let directory = plan.job_directory.clone();
        assert_eq!(run(&yard, node, plan), Verdict::Exited(7));
        let said = yard.read(id(1), node, "stdout.txt");
        let said: Vec<&str> = said.lines().collect();
        assert_eq!(said[..4], ["BusyBox", "no Debian", &directory, "0"]);
        assert!(said[4].starts_with("hush /root yes "), "{said:?}");
        assert_eq!(yard.read(id(1), node, "stderr.txt"), "complaint\n");
        let log = yard.read(id(1), node, "execution.log");
        for part in [
            "image stand/in:1 is wanted",
            "stand_in_1.tar",
            "container trainyard-",
        ] {
            assert!(log.contains(part), "{log}");
        }
        assert!(!log.contains("hush"), "{log}");
    }
}

#[test]
fn what_the_preparation_does_to_the_container_is_there_for_the_job() {
    let Some(yards) = Yards::new() else { return };
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "cat /opt/installed; exec tool", IMAGE);
    let out = yard.shown(id(1), node);
    let script = "mkdir -p /opt; echo yes > /opt/installed; printf '#!/bin/sh\\necho tool $1\\nexit 3\\n' > /bin/tool; chmod +x /bin/tool";
    let mut preparation = process("job preparation", script, &plan.job_directory, &out);
    preparation.stdout = format!("{out}/stdout-job_prep.txt");
    plan.preparation = Some(preparation);
    assert_eq!(run(&yard, node, plan), Verdict::Exited(3));
    assert_eq!(yard.read(id(1), node, "stdout.txt"), "yes\ntool\n");

    // The next job begins with the image as it is.
    let mut plan = contained(&yard, node, "ls /opt", IMAGE);
    plan.placement = id(2);
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(2), node), Verdict::Exited(1));
}

#[test]
fn a_preparation_that_fails_in_the_container_ends_the_job_with_its_code() {
    let Some(yards) = Yards::new() else { return };
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "true", IMAGE);
    let out = yard.shown(id(1), node);
    plan.preparation = Some(process("job preparation", "exit 9", &plan.job_directory, &out));
    assert_eq!(run(&yard, node, plan), Verdict::PreparationFailed(9));
}

#[test]
fn an_image_without_bash_has_its_sh_and_a_missing_program_is_127() {
    let Some(yards) = Yards::new() else { return };
    let yard = yards.one();
    let node = yard.node(1);
    assert_eq!(
        run(
            &yard,
            node,
            contained(&yard, node, "no-such-program", WITHOUT_BASH)
        ),
        Verdict::Exited(127)
    );
    let log = yard.read(id(1), node, "execution.log");
    assert!(
        log.contains("has no bash: command lines are read by its sh"),
        "{log}"
    );

    let mut plan = contained(&yard, node, "true", EMPTY);
    plan.placement = id(2);
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(2), node), Verdict::Exited(127));
    let said = yard.read(id(1), node, "stderr.txt");
    assert!(said.contains("the program was not found in PATH"), "{said}");
}

#[test]
fn shared_memory_has_the_size_that_is_asked_for() {
    let Some(yards) = Yards::new() else { return };
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "df -k /dev/shm | tail -1 | awk '{print $2}'", IMAGE);
    plan.container.as_mut().unwrap().shm_bytes = Some(96 << 20);
    assert_eq!(run(&yard, node, plan), Verdict::Exited(0));
    assert_eq!(yard.read(id(1), node, "stdout.txt"), "98304\n");
}

/// Waits until nothing of the yard's containers is left: processes, mounts, directories in the cgroup trees.
fn until_nothing_is_left(yard: &Yard, node: Uid) {
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
        (!left && !mounted).then_some(())
    });
}

#[test]
fn a_stopped_job_may_tidy_up_and_what_ignores_that_is_killed() {
    let Some(yards) = Yards::new() else { return };
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
        until_containers_are_gone(&yard, node);
    }
}

/// What is left while the node lives: nothing of a container.
fn until_containers_are_gone(yard: &Yard, node: Uid) {
    let folder = yard.folder(node).root().display().to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&folder), "{mounts}");
    let inside = yard.folder(node).root().join("container/inside");
    assert!(!inside.exists() && !inside.with_file_name("order.json").exists());
}

#[test]
fn a_daemon_in_the_container_does_not_outlive_its_job_and_may_tidy_up() {
    let Some(yards) = Yards::new() else { return };
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

#[test]
fn a_job_that_runs_too_long_is_ended_in_its_container() {
    let Some(yards) = Yards::new() else { return };
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "exec sleep 1000", IMAGE);
    plan.max_seconds = 3;
    assert_eq!(run(&yard, node, plan), Verdict::TimedOut);
    until_containers_are_gone(&yard, node);
}

#[test]
fn a_killed_node_leaves_nothing_of_its_container() {
    let Some(yards) = Yards::new() else { return };
    for yard in yards.each() {
        let node = yard.node(1);
        let script = "setsid env -i PATH=$PATH sleep 1000 & echo on; sleep 1000";
        yard.launch(node, contained(&yard, node, script, IMAGE));
        yard.line(id(1), node, "stdout.txt");
        let process = rustix::process::Pid::from_raw(yard.status(node).pid).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        yard.until_node(node, &NodeSeen::Gone);
        until_nothing_is_left(&yard, node);
        yard.engine().release_node(node);
        yard.until("its folder is gone", || {
            (!yard.folder(node).root().exists()).then_some(())
        });
        assert_eq!(container_directories(&yard, node), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_node_that_leaves_takes_its_container_along() {
    let Some(yards) = Yards::new() else { return };
    for yard in yards.each() {
        let node = yard.node(1);
        let script = "trap '' TERM; echo on; sleep 1000";
        yard.launch(node, contained(&yard, node, script, IMAGE));
        yard.line(id(1), node, "stdout.txt");
        let folder = yard.folder(node);
        yard.engine().release_node(node);
        until_nothing_is_left(&yard, node);
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

#[test]
fn a_container_outlives_the_engine() {
    let Some(yards) = Yards::new() else { return };
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

fn info(verdict: &Verdict) -> String {
    let Verdict::NotStarted(error, _) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(error.code, "FailedStartingContainer");
    assert_eq!(error.message, "unable to start docker container");
    assert!(error.details[0].0 == "imageName" && error.details[1].0 == "Info");
    error.details[1].1.clone()
}

#[test]
fn what_cannot_be_started_says_why() {
    let Some(yards) = Yards::new() else { return };
    let never = Settings {
        pull: trainyard_node::container::Pull::Never,
        ..yards.settings()
    };
    let yard = Yard::with_containers(never, true, false);
    let node = yard.node(1);
    let why = info(&run(&yard, node, contained(&yard, node, "true", "no/such:1")));
    assert!(
        why.contains("not on this machine") && why.contains("containers.pull is never"),
        "{why}"
    );
    assert_eq!(
        yard.run(id(2), node, "exit 4"),
        Verdict::Exited(4),
        "the node goes on"
    );

    let missing = Settings {
        runtime: Choice::Podman,
        program: Some("/no/podman".into()),
        ..yards.settings()
    };
    let yard = Yard::with_containers(missing, true, false);
    let node = yard.node(1);
    let why = info(&run(&yard, node, contained(&yard, node, "true", IMAGE)));
    assert!(why.contains("/no/podman"), "{why}");

    // A registry that nobody runs.
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "true", "no/such:1");
    plan.container.as_mut().unwrap().reference = "127.0.0.1:1/no/such:1".to_owned();
    let why = info(&run(&yard, node, plan));
    assert!(why.contains("127.0.0.1:1") && why.contains("refused"), "{why}");
}

#[test]
fn two_nodes_start_commands_in_the_containers_of_one_another() {
    let Some(yards) = Yards::new() else { return };
    let yard = yards.one();
    let nodes = [yard.node(1), yard.node(2)];
    let script = "echo typed | $SHELL_OF_NODES -x root@b 'cat; hostname > $OUT/host; cat /etc/passwd; exit 7'; echo code $?";
    let mut plans = yard.plans(id(1), &nodes, script);
    for ((node, plan), name) in plans.iter_mut().zip(["a", "b"]) {
        let container = contained(&yard, *node, "", IMAGE);
        plan.mounts = container.mounts;
        plan.container = container.container;
        let shared = plan.shared_directory.source.clone();
        let variables = [
            ("AZ_BATCHAI_SHARED_JOB_TEMP", plan.shared_directory.path.clone()),
            ("OUT", yard.shown(id(1), *node)),
            ("SHELL_OF_NODES", yard.engine().paths(*node).remote_shell),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        plan.remote = Some(trainyard_domain::launch::Remote {
            socket: format!("{shared}/.node-{name}"),
            environment: variables.clone().into(),
            directory: plan.job_directory.clone(),
            other_sockets: Vec::new(),
            tools: None,
        });
        plan.processes[0].environment.extend(variables);
        if name == "b" {
            plan.processes.clear();
            plan.until_stopped = true;
        }
    }
    yard.engine().ensure_launched(plans);
    assert_eq!(yard.verdict(id(1), nodes[0]), Verdict::Exited(0));
    let expected = "typed\nroot:x:0:0:root:/root:/bin/sh\ncode 7\n";
    assert_eq!(yard.read(id(1), nodes[0], "stdout.txt"), expected);
    yard.engine().ensure_stopped(id(1), &nodes[1..]);
    assert_eq!(yard.verdict(id(1), nodes[1]), Verdict::Stopped);
}

#[test]
fn an_image_is_read_once_and_again_when_its_file_changes() {
    let Some(yards) = Yards::new() else { return };
    let yard = yards.one();
    let nodes = [yard.node(1), yard.node(2)];
    for (number, node) in (1..).zip(nodes) {
        let mut plan = contained(&yard, node, "true", IMAGE);
        plan.placement = id(number);
        yard.launch(node, plan);
        assert_eq!(yard.verdict(id(number), node), Verdict::Exited(0));
    }
    let images = || fs::read_dir(yard.root.join("containers/used")).unwrap().count();
    assert_eq!(images(), 1);
    fs::copy(
        yards.images.path().join("stand_in_sh.tar"),
        yards.images.path().join("stand_in_1.tar"),
    )
    .unwrap();
    let mut plan = contained(&yard, nodes[0], "true", IMAGE);
    plan.placement = id(3);
    yard.launch(nodes[0], plan);
    assert_eq!(yard.verdict(id(3), nodes[0]), Verdict::Exited(0));
    assert_eq!(images(), 2);
}

/// Prints what a job in a container costs beside bare podman on the same image in the same run; fails only when it is
/// absurd.
#[test]
fn a_job_in_a_container_costs_not_much_more_than_bare_podman() {
    const ROUNDS: u32 = 8;
    let Some(yards) = Yards::new() else { return };
    let yard = yards.one();
    let node = yard.node(1);
    let job = |number: i64| {
        let mut plan = contained(&yard, node, "true", IMAGE);
        plan.placement = id(number);
        yard.launch(node, plan);
        assert_eq!(yard.verdict(id(number), node), Verdict::Exited(0));
    };
    job(1);
    let bare = images::Bare::new(yards.images.path());
    let (mut jobs, mut runs) = (Duration::ZERO, Duration::ZERO);
    for round in 0..i64::from(ROUNDS) {
        let begin = since_boot();
        job(2 + round);
        let between = since_boot();
        bare.run();
        jobs += between - begin;
        runs += since_boot() - between;
    }
    let (jobs, runs) = (jobs / ROUNDS, runs / ROUNDS);
    let ratio = jobs.as_secs_f64() / runs.as_secs_f64();
    println!("a job in a container: {jobs:?}; bare podman run --rm: {runs:?}; ratio {ratio:.2}");
    assert!(ratio < 10.0, "{ratio}");
}

#[test]
fn a_job_over_its_memory_in_a_container_is_told_why_as_on_the_node() {
    let Some(yards) = Yards::new() else { return };
    let memory = support().controllers.remove(&Controller::Memory);
    if !matches!(memory, Some(Ok(_))) {
        println!("left out: this machine does not limit memory ({memory:?})");
        return;
    }
    let yard = yards.one();
    let limits = NodeLimits {
        vm_size: "SMALL".to_owned(),
        cores: 2,
        memory: 200 << 20,
        processes: 500,
    };
    let node = yard.limited(1, limits);
    let script = "dd if=/dev/zero of=/dev/null bs=314572800 count=1; exit $?";
    let verdict = run(&yard, node, contained(&yard, node, script, IMAGE));
    let Verdict::OutOfMemory(Cut::Exited(137), shortage) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(shortage.limit, 200 << 20);
}
