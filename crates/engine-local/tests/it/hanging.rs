//! Volumes that hang or die: the node goes on, and jobs can be ended.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::LaunchPlan;
use trainyard_domain::state::{BatchAiError, Verdict};
use trainyard_engine::{Engine, NodeSeen, Observation};

use crate::store::{Store, have, poll_for, poll_until};
use crate::volumes::{info, keeper_of, mounted, of_cluster, with_volume};
use crate::yard::{Yard, at_both_levels, id, runs};

at_both_levels!(
    a_job_on_a_volume_whose_program_hangs_can_be_stopped,
    a_job_whose_store_hangs_can_be_stopped_and_the_node_says_why_it_waits,
    a_job_that_waits_for_a_hanging_volume_can_be_stopped_before_it_begins,
    a_finished_job_whose_outputs_hang_can_be_stopped,
    a_volume_of_the_cluster_that_died_is_mounted_anew_before_the_next_job,
    a_node_whose_volume_cannot_be_mounted_anew_takes_no_jobs_and_says_why,
);

/// Longer than a stop may take: the grace, and what is allowed to volumes that do not answer.
const STOPPED_WITHIN: Duration = Duration::from_secs(90);

/// All that the job says goes to its volume too.
fn on_its_volume(mut plan: LaunchPlan) -> LaunchPlan {
    let volume = plan.mounts[0].path.clone();
    plan.directories.push(format!("{volume}/log"));
    plan.execution_log = format!("{volume}/log/execution.log");
    for process in &mut plan.processes {
        process.stdout = format!("{volume}/log/stdout.txt");
        process.stderr = process.stdout.clone();
    }
    plan.grace_seconds = 1;
    plan
}

fn stopped(yard: &Yard) -> Verdict {
    yard.engine().ensure_stopped(id(1), &[Uid(1)]);
    poll_for(STOPPED_WITHIN, "it is stopped", || yard.ended(id(1), Uid(1)))
}

fn said_by_node(yard: &Yard) -> String {
    fs::read_to_string(yard.folder(Uid(1)).root().join("node.log")).unwrap_or_default()
}

/// Other jobs run, on this node too.
fn the_yard_goes_on(yard: &Yard) {
    assert_eq!(yard.run(id(7), Uid(1), "true"), Verdict::Exited(0));
    assert_eq!(mounted(yard), Vec::<String>::new());
}

fn a_job_on_a_volume_whose_program_hangs_can_be_stopped(yard: Yard) {
    if !have(&["rclone"]) {
        return;
    }
    let store = Store::web();
    let script = "echo begun > $OUT/begun.txt; while :; do echo more; done";
    let plan = on_its_volume(with_volume(&yard, |path| store.mount(path), script));
    yard.node(1);
    yard.launch(Uid(1), plan);
    yard.line(id(1), Uid(1), "begun.txt");
    kill_process(keeper_of(&mounted(&yard)[0]), Signal::STOP).unwrap();
    yard.node(2);
    assert_eq!(yard.run(id(2), Uid(2), "true"), Verdict::Exited(0));
    assert_eq!(stopped(&yard), Verdict::Stopped);
    the_yard_goes_on(&yard);
}

fn a_job_whose_store_hangs_can_be_stopped_and_the_node_says_why_it_waits(yard: Yard) {
    if !have(&["rclone"]) {
        return;
    }
    let store = Store::web();
    fs::create_dir(store.files().join("never-listed")).unwrap();
    let script = "echo begun > $OUT/begun.txt; until test -e $OUT/go; do read -t 0.05 <> <(:); done
        echo asks > $OUT/asks.txt; ls $V/never-listed; exec tail -f /dev/null";
    let plan = with_volume(&yard, |path| store.mount(path), script);
    yard.node(1);
    yard.launch(
        Uid(1),
        LaunchPlan {
            grace_seconds: 1,
            ..plan
        },
    );
    yard.line(id(1), Uid(1), "begun.txt");
    store.hang(true);
    fs::write(yard.out(id(1), Uid(1)).join("go"), "").unwrap();
    yard.line(id(1), Uid(1), "asks.txt");
    poll_until("something waits for the volume", || stuck(&yard));
    assert_eq!(stopped(&yard), Verdict::Stopped);
    let said = said_by_node(&yard);
    assert!(
        said.contains("they wait for a volume") && said.contains("/mounts/v"),
        "{said}"
    );
    assert!(
        yard.read(id(1), Uid(1), "execution.log")
            .contains("they wait for a volume")
    );
    the_yard_goes_on(&yard);
}

/// Whether a process of the yard's is stuck in the kernel.
fn stuck(yard: &Yard) -> bool {
    let root = yard.root.display().to_string();
    let of_yard = |pid: &Pid| {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_pid())).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&root) && trainyard_node::machine::is_stuck(*pid)
    };
    let is_waiting = |pid: &Pid| {
        let told = fs::read_to_string(format!("/proc/{}/wchan", pid.as_raw_pid())).unwrap_or_default();
        told.contains("fuse") || told.contains("request_wait")
    };
    trainyard_node::machine::processes()
        .iter()
        .any(|pid| of_yard(pid) || is_waiting(pid))
}

fn a_job_that_waits_for_a_hanging_volume_can_be_stopped_before_it_begins(yard: Yard) {
    if !have(&["rclone"]) {
        return;
    }
    let store = Store::web();
    let shared = of_cluster(&yard, "c");
    let mut node = yard.node_plan(Uid(1), None);
    node.mounts.push(store.mount(&shared));
    yard.engine().ensure_node(node);
    yard.until_node(Uid(1), &NodeSeen::Ready);
    let place = mounted(&yard).remove(0);
    let keeper = keeper_of(&place);
    kill_process(keeper, Signal::STOP).unwrap();
    let mut plan = yard.plan(id(1), Uid(1), "echo ran > $OUT/ran.txt");
    plan.directories.push(format!("{shared}/out/deep"));
    yard.launch(Uid(1), plan);
    poll_for(STOPPED_WITHIN, "the node says what it waits for", || {
        said_by_node(&yard)
            .contains("waits for its volumes")
            .then_some(())
    });
    assert_eq!(stopped(&yard), Verdict::Stopped);
    kill_process(keeper, Signal::CONT).unwrap();
    assert_eq!(yard.read(id(1), Uid(1), "ran.txt"), "", "it never ran");
    let script = format!("mkdir -p {shared}/again");
    assert_eq!(yard.run(id(2), Uid(1), &script), Verdict::Exited(0));
    yard.engine().release_node(Uid(1));
    yard.until_node(Uid(1), &NodeSeen::Gone);
    assert_eq!(mounted(&yard), Vec::<String>::new());
}

fn a_finished_job_whose_outputs_hang_can_be_stopped(yard: Yard) {
    if !have(&["rclone"]) {
        return;
    }
    let store = Store::web();
    let script = "echo begun > $OUT/begun.txt; until test -e $OUT/go; do read -t 0.05 <> <(:); done
        echo x > $V/lost.txt; echo $BASHPID > $OUT/wrote.txt";
    let plan = with_volume(&yard, |path| store.mount(path), script);
    yard.node(1);
    yard.launch(Uid(1), plan);
    yard.line(id(1), Uid(1), "begun.txt");
    store.hang(true);
    fs::write(yard.out(id(1), Uid(1)).join("go"), "").unwrap();
    yard.line(id(1), Uid(1), "wrote.txt");
    poll_until("its processes have ended", || {
        yard.read(id(1), Uid(1), "execution.log")
            .contains("over: exit code 0")
    });
    match stopped(&yard) {
        Verdict::VolumeFailed(error, 0) => {
            assert_eq!(error.code, "VolumeNotStored");
            assert!(error.message.contains("lost.txt"), "{}", error.message);
        }
        other => panic!("{other:?}"),
    }
    the_yard_goes_on(&yard);
}

fn with_cluster_volume(yard: &Yard, store: &Store) -> (String, Pid) {
    let shared = of_cluster(yard, "c");
    let mut node = yard.node_plan(Uid(1), None);
    node.mounts.push(store.mount(&shared));
    yard.engine().ensure_node(node);
    yard.until_node(Uid(1), &NodeSeen::Ready);
    let keeper = keeper_of(&mounted(yard)[0]);
    (shared, keeper)
}

fn a_volume_of_the_cluster_that_died_is_mounted_anew_before_the_next_job(yard: Yard) {
    if !have(&["rclone"]) {
        return;
    }
    let store = Store::web();
    fs::write(store.files().join("in.txt"), "hello").unwrap();
    let (shared, keeper) = with_cluster_volume(&yard, &store);
    // Under a job, which sees errors and names the volume.
    let script = format!(
        "echo on > $OUT/on.txt; while test -e {shared}/in.txt; do read -t 0.05 <> <(:); done; exit 3"
    );
    yard.launch(Uid(1), yard.plan(id(1), Uid(1), &script));
    yard.line(id(1), Uid(1), "on.txt");
    kill_process(keeper, Signal::KILL).unwrap();
    match yard.verdict(id(1), Uid(1)) {
        Verdict::VolumeFailed(error, 3) => assert_eq!(error.code, "VolumeDied"),
        other => panic!("{other:?}"),
    }
    for (number, dies) in [(2, true), (3, true), (4, false)] {
        let script =
            format!("test $(cat {shared}/in.txt) = hello && echo {number} > {shared}/out-{number}.txt");
        assert_eq!(
            yard.run(id(number), Uid(1), &script),
            Verdict::Exited(0),
            "{number}"
        );
        assert!(store.files().join(format!("out-{number}.txt")).exists());
        // Between two jobs, with the next one close behind.
        if dies {
            let keeper = keeper_of(&mounted(&yard)[0]);
            kill_process(keeper, Signal::KILL).unwrap();
            poll_until("it is dead", || !runs(&keeper.as_raw_pid().to_string()));
        }
    }
    assert_eq!(mounted(&yard).len(), 1);
    yard.engine().release_node(Uid(1));
    yard.until_node(Uid(1), &NodeSeen::Gone);
    assert_eq!(mounted(&yard), Vec::<String>::new());
}

fn a_node_whose_volume_cannot_be_mounted_anew_takes_no_jobs_and_says_why(yard: Yard) {
    if !have(&["rclone"]) {
        return;
    }
    let mut store = Store::web();
    let (shared, keeper) = with_cluster_volume(&yard, &store);
    store.unplug();
    kill_process(keeper, Signal::KILL).unwrap();
    let why = yard.until("the node is unusable", || broken(&yard));
    assert_eq!(why.code, "BFSMountError");
    assert!(info(&why).contains("refused"), "{why:?}");
    // What came before anybody knew is refused for the same reason.
    match yard.run(id(1), Uid(1), &format!("ls {shared}")) {
        Verdict::NotStarted(error, Some(1)) => assert_eq!(error.code, "BFSMountError"),
        other => panic!("{other:?}"),
    }
    yard.engine().release_node(Uid(1));
    yard.until_node(Uid(1), &NodeSeen::Gone);
    assert_eq!(mounted(&yard), Vec::<String>::new());
}

fn broken(yard: &Yard) -> Option<BatchAiError> {
    yard.seen().into_iter().find_map(|seen| match seen {
        Observation::Node {
            seen: NodeSeen::SetupFailed(errors),
            ..
        } => errors.into_iter().next(),
        _ => None,
    })
}
