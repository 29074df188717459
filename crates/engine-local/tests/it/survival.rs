//! Nodes and jobs outlive the engine.

use std::time::Duration;

use trainyard_domain::ids::Uid;
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen, Observation, PlacementSeen};
use trainyard_engine_local::end_all;
use trainyard_node::files::{self, PlacementStatus, StatusFile};

use crate::yard::{Yard, at_both_levels, id, runs};

at_both_levels!(
    a_job_that_runs_meanwhile_is_found_again,
    an_end_in_the_meantime_is_reported,
    a_node_that_died_meanwhile_is_swept_and_reported,
    another_boot_means_that_nodes_are_lost_and_their_pids_are_others,
    end_all_ends_all_and_the_next_engine_knows,
    a_node_survives_a_full_or_broken_status_file,
);

fn ended(node: Uid) -> Observation {
    Observation::Placement {
        node,
        placement: id(1),
        seen: PlacementSeen::Ended(Verdict::Exited(3)),
    }
}

const UNTIL_GO: &str = "echo $$ > $OUT/pid; until [ -e $OUT/go ]; do sleep 0.02; done; exit 3";

fn a_job_that_runs_meanwhile_is_found_again(mut yard: Yard) {
    let node = yard.node(1);
    yard.launch(node, yard.plan(id(1), node, UNTIL_GO));
    let pid = yard.line(id(1), node, "pid");
    yard.close();
    assert!(yard.lives(&pid));
    yard.open();
    // The node may not have said yet that the attempt has begun: it is not started again even so.
    yard.launch(node, yard.plan(id(1), node, UNTIL_GO));
    let active = Observation::Placement {
        node,
        placement: id(1),
        seen: PlacementSeen::Active,
    };
    yard.until("the attempt is seen", || {
        yard.engine().observe_all().contains(&active).then_some(())
    });
    yard.launch(node, yard.plan(id(1), node, UNTIL_GO));
    std::fs::write(yard.out(id(1), node).join("go"), "").unwrap();
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(3));
    let log = yard.read(id(1), node, "execution.log");
    assert_eq!(log.matches("rank 0 started").count(), 1, "{log}");
}

fn an_end_in_the_meantime_is_reported(mut yard: Yard) {
    let node = yard.node(1);
    yard.launch(node, yard.plan(id(1), node, UNTIL_GO));
    yard.line(id(1), node, "pid");
    yard.close();
    std::fs::write(yard.out(id(1), node).join("go"), "").unwrap();
    yard.until("the node writes it down", || {
        let ended = |p: &PlacementStatus| p.ended.is_some();
        yard.status(node)
            .placements
            .first()
            .is_some_and(ended)
            .then_some(())
    });
    yard.open();
    assert!(yard.engine().observe_all().contains(&ended(node)));
}

fn a_node_that_died_meanwhile_is_swept_and_reported(mut yard: Yard) {
    let node = yard.node(1);
    yard.launch(node, yard.plan(id(1), node, UNTIL_GO));
    let pid = yard.line(id(1), node, "pid");
    yard.close();
    let process = rustix::process::Pid::from_raw(yard.status(node).pid).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    yard.open();
    yard.until_node(node, &NodeSeen::Gone);
    assert!(!yard.lives(&pid));
}

fn another_boot_means_that_nodes_are_lost_and_their_pids_are_others(mut yard: Yard) {
    let node = yard.node(1);
    yard.close();
    // The process of the status is one that must not be touched: this one.
    let honest: StatusFile = yard.status(node);
    let me = rustix::process::getpid().as_raw_pid();
    let other_boot = StatusFile {
        boot_id: "another".to_owned(),
        ..honest.clone()
    };
    let other_process = StatusFile {
        pid: me,
        ..honest.clone()
    };
    for status in [other_boot, other_process] {
        files::write(&yard.folder(node).status(), &status).unwrap();
        yard.open();
        yard.until_node(node, &NodeSeen::Gone);
        yard.close();
        yard.look_afresh();
    }
    files::write(&yard.folder(node).status(), &honest).unwrap();
}

fn end_all_ends_all_and_the_next_engine_knows(mut yard: Yard) {
    let node = yard.node(1);
    let mut plan = yard.plan(
        id(1),
        node,
        "trap '' TERM; echo $$ > $OUT/pid; while :; do sleep 0.1; done",
    );
    plan.grace_seconds = 30;
    yard.launch(node, plan);
    let pid = yard.line(id(1), node, "pid");
    let process = yard.status(node).pid.to_string();
    yard.close();
    assert_eq!(end_all(&yard.root, Duration::from_secs(8)).unwrap(), 1);
    assert!(!yard.lives(&pid) && !runs(&process));
    yard.open();
    yard.until_node(node, &NodeSeen::Gone);
    let stays_open = yard.seen().iter().any(|seen| {
        matches!(
            seen,
            Observation::Placement {
                seen: PlacementSeen::Ended(_),
                ..
            }
        )
    });
    assert!(
        !stays_open,
        "an attempt whose node went away has no end of its own"
    );
}

fn a_node_survives_a_full_or_broken_status_file(yard: Yard) {
    let node = yard.node(1);
    // A directory in the way of the temporary file makes every write fail, for root too.
    let obstacle = yard.folder(node).root().join(".status.json.new");
    std::fs::create_dir(&obstacle).unwrap();
    yard.launch(node, yard.plan(id(1), node, "touch $OUT/done; exit 3"));
    yard.until("the job is done", || {
        yard.out(id(1), node).join("done").exists().then_some(())
    });
    assert!(!yard.seen().contains(&ended(node)));
    std::fs::remove_dir(&obstacle).unwrap();
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(3));
}
