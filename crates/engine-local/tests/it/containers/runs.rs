//! What runs in a container, and what cannot.

use std::fs;

use trainyard_domain::launch::NodeLimits;
use trainyard_domain::state::{Cut, Verdict};
use trainyard_engine::Engine;
use trainyard_node::cgroup::{Controller, support};
use trainyard_node::container::{Pull, Settings};

use super::{Yards, contained, run};
use crate::images::{EMPTY, IMAGE, WITHOUT_BASH};
use crate::yard::{Yard, id, process};

pub fn a_job_runs_in_its_image_and_its_exit_code_comes_back(yards: &Yards) {
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

pub fn what_the_preparation_does_to_the_container_is_there_for_the_job(yards: &Yards) {
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

pub fn a_preparation_that_fails_in_the_container_ends_the_job_with_its_code(yards: &Yards) {
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "true", IMAGE);
    let out = yard.shown(id(1), node);
    plan.preparation = Some(process("job preparation", "exit 9", &plan.job_directory, &out));
    assert_eq!(run(&yard, node, plan), Verdict::PreparationFailed(9));
}

pub fn a_link_that_the_container_lays_leads_its_node_nowhere_and_it_makes_no_device(yards: &Yards) {
    let yard = yards.one();
    let node = yard.node(1);
    let elsewhere = yard.root.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let mut plan = contained(&yard, node, "true", IMAGE);
    let out = yard.shown(id(1), node);
    let script = format!(
        "mknod /disk b 7 0 && exit 1; rm -r /.trainyard/run/orders && ln -s {} /.trainyard/run/orders",
        elsewhere.display()
    );
    plan.preparation = Some(process("job preparation", &script, &plan.job_directory, &out));
    let verdict = run(&yard, node, plan);
    assert!(matches!(verdict, Verdict::NotStarted(..)), "{verdict:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(
        yard.run(id(2), node, "exit 4"),
        Verdict::Exited(4),
        "the node goes on"
    );
}

pub fn an_image_without_bash_has_its_sh_and_a_missing_program_is_127(yards: &Yards) {
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

pub fn shared_memory_has_the_size_that_is_asked_for(yards: &Yards) {
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "df -k /dev/shm | tail -1 | awk '{print $2}'", IMAGE);
    plan.container.as_mut().unwrap().shm_bytes = Some(96 << 20);
    assert_eq!(run(&yard, node, plan), Verdict::Exited(0));
    assert_eq!(yard.read(id(1), node, "stdout.txt"), "98304\n");
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

pub fn what_cannot_be_started_says_why(yards: &Yards) {
    let never = Settings {
        pull: Pull::Never,
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
        program: Some("/no/runtime".into()),
        ..yards.settings()
    };
    let yard = Yard::with_containers(missing, true, false);
    let node = yard.node(1);
    let why = info(&run(&yard, node, contained(&yard, node, "true", IMAGE)));
    assert!(why.contains("/no/runtime"), "{why}");

    // A registry that nobody runs.
    let yard = yards.one();
    let node = yard.node(1);
    let mut plan = contained(&yard, node, "true", "no/such:1");
    plan.container.as_mut().unwrap().reference = "127.0.0.1:1/no/such:1".to_owned();
    let why = info(&run(&yard, node, plan));
    assert!(why.contains("127.0.0.1:1") && why.contains("refused"), "{why}");
}

pub fn two_nodes_start_commands_in_the_containers_of_one_another(yards: &Yards) {
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

pub fn an_image_is_read_once_and_again_when_its_file_changes(yards: &Yards) {
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

pub fn a_job_over_its_memory_in_a_container_is_told_why_as_on_the_node(yards: &Yards) {
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
