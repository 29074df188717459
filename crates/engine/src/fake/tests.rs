use std::time::Duration;

use trainyard_domain::ids::{Attempt, GpuId};

use super::*;
use crate::{NodeSeen, PlacementSeen};

struct Plain;

impl Script for Plain {
    fn node(&mut self, _: &NodePlan) -> NodeCourse {
        NodeCourse {
            preparing: Duration::from_secs(1),
            setup: Setup::Ready,
            dies: None,
        }
    }

    fn attempt(&mut self, _: Uid, _: &LaunchPlan) -> Course {
        Course {
            start: Duration::from_secs(1),
            run: Some((Duration::from_secs(10), Verdict::Exited(0))),
            on_stop: OnStop::Ends(Duration::from_secs(2)),
        }
    }

    fn call_arrives(&mut self) -> bool {
        true
    }

    fn delivery(&mut self) -> Vec<Duration> {
        vec![Duration::ZERO]
    }

    fn clean_up(&mut self) -> Duration {
        Duration::from_secs(3)
    }

    fn tells_gone(&mut self) -> bool {
        false
    }
}

const NODE: Uid = Uid(7);
const ID: PlacementId = PlacementId {
    job: Uid(1),
    attempt: Attempt(1),
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn capacity() -> Capacity {
    Capacity {
        max_nodes: 4,
        gpus: Vec::new(),
        free_ports: Vec::new(),
        free_bytes: 0,
    }
}

fn node_plan() -> NodePlan {
    NodePlan {
        uid: NODE,
        name: "n".to_owned(),
        address: std::net::Ipv4Addr::LOCALHOST,
        mounts: Vec::new(),
        directories: Vec::new(),
        setup: None,
        execution_log: None,
        gpus: Vec::new(),
        limits: None,
    }
}

fn launch_plan() -> LaunchPlan {
    LaunchPlan {
        placement: ID,
        job_directory: String::new(),
        mounts: Vec::new(),
        shared_directory: trainyard_domain::launch::SharedDirectory {
            source: String::new(),
            path: String::new(),
        },
        directories: Vec::new(),
        files: std::collections::BTreeMap::new(),
        execution_log: String::new(),
        preparation: None,
        processes: Vec::new(),
        node_index: 0,
        node_count: 1,
        max_seconds: 100,
        grace_seconds: 5,
        until_stopped: false,
        remote: None,
        caps: trainyard_domain::launch::Caps::default(),
        container: None,
    }
}

fn ready() -> FakeEngine {
    let engine = FakeEngine::new(Box::new(Plain), capacity(), at(0));
    engine.ensure_node(node_plan());
    engine.advance(at(1));
    assert!(engine.observe().contains(&Observation::Node {
        node: NODE,
        seen: NodeSeen::Ready
    }));
    engine
}

fn ended(verdict: Verdict) -> Observation {
    Observation::Placement {
        node: NODE,
        placement: ID,
        seen: PlacementSeen::Ended(verdict),
    }
}

fn starts(engine: &FakeEngine) -> usize {
    let facts = engine.facts(0);
    facts
        .iter()
        .filter(|f| matches!(f.what, What::Started(_)))
        .count()
}

#[test]
fn an_attempt_starts_once_however_often_it_is_wanted() {
    let engine = ready();
    for second in 1..20 {
        engine.ensure_launched(vec![(NODE, launch_plan())]);
        engine.advance(at(second));
    }
    assert_eq!(starts(&engine), 1);
    assert!(engine.observe().contains(&ended(Verdict::Exited(0))));
    assert_eq!(engine.remembered(), [(NODE, ID)]);
    engine.forget(ID, NODE);
    assert_eq!(engine.observe_all().len(), 1, "the node only");
}

#[test]
fn what_was_stopped_before_it_was_seen_never_starts() {
    let engine = ready();
    engine.ensure_stopped(ID, &[NODE]);
    engine.ensure_launched(vec![(NODE, launch_plan())]);
    engine.advance(at(20));
    assert_eq!(starts(&engine), 0);
    assert!(engine.observe().contains(&ended(Verdict::Stopped)));
}

#[test]
fn a_running_attempt_ends_within_its_grace_when_stopped() {
    let engine = ready();
    engine.ensure_launched(vec![(NODE, launch_plan())]);
    engine.advance(at(3));
    engine.ensure_stopped(ID, &[NODE]);
    engine.advance(at(4));
    assert_eq!(engine.live(), [(NODE, ID)]);
    engine.advance(at(5));
    assert!(engine.live().is_empty());
}

#[test]
fn a_node_is_gone_only_after_what_it_ran() {
    let engine = ready();
    engine.ensure_launched(vec![(NODE, launch_plan())]);
    engine.advance(at(3));
    assert!(engine.kill_node(NODE));
    engine.advance(at(5));
    engine.observe();
    assert!(engine.observe_all().contains(&Observation::Node {
        node: NODE,
        seen: NodeSeen::Ready
    }));
    engine.advance(at(6));
    let gone = Observation::Node {
        node: NODE,
        seen: NodeSeen::Gone,
    };
    assert_eq!(engine.observe(), std::slice::from_ref(&gone));
    assert!(engine.facts(0).iter().any(|f| f.what == What::Killed(ID)));
    engine.ensure_node(node_plan());
    engine.ensure_launched(vec![(NODE, launch_plan())]);
    engine.advance(at(7));
    assert_eq!(engine.observe(), [gone.clone(), gone]);
    assert_eq!(starts(&engine), 1);
}

#[test]
fn a_node_never_seen_is_gone_when_released() {
    let engine = FakeEngine::new(Box::new(Plain), capacity(), at(0));
    engine.release_node(NODE);
    engine.ensure_node(node_plan());
    engine.advance(at(9));
    assert!(engine.nodes().is_empty());
    assert_eq!(engine.observe().len(), 2);
}

#[test]
fn a_gpu_that_a_node_has_must_not_be_given_to_another() {
    let engine = FakeEngine::new(Box::new(Plain), capacity(), at(0));
    let with = |uid| NodePlan {
        uid,
        gpus: vec![GpuId("GPU-1".to_owned())],
        ..node_plan()
    };
    let misused = || {
        let facts = engine.facts(0);
        facts
            .iter()
            .filter(|f| matches!(f.what, What::Misused(_)))
            .count()
    };
    engine.ensure_node(with(NODE));
    engine.ensure_node(with(NODE));
    engine.release_node(NODE);
    assert_eq!(misused(), 0);
    engine.ensure_node(with(Uid(8)));
    assert_eq!(misused(), 1, "the first node is not gone yet");
    engine.release_node(Uid(8));
    engine.advance(at(10));
    engine.ensure_node(with(Uid(9)));
    assert_eq!(misused(), 1);
}
