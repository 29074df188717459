//! An engine that does what the test says, when the test says it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePaths, NodePlan};
use trainyard_domain::state::{BatchAiError, Verdict};
use trainyard_engine::{Capacity, Engine, NodeSeen, Observation, PlacementSeen};

/// The engine. Nodes become ready at once unless told otherwise; jobs run until the test ends them.
pub struct Script(Mutex<State>);

pub struct State {
    /// What it can hold.
    pub capacity: Capacity,
    /// Nodes stay in preparation until [`Script::ready`].
    pub slow_nodes: bool,
    /// Stopped attempts go on until [`Script::end`].
    pub stubborn: bool,
    /// A launch of the job with this name panics.
    pub panics_at: Option<String>,
    nodes: BTreeMap<Uid, NodeSeen>,
    runs: BTreeMap<(PlacementId, Uid), PlacementSeen>,
    /// The plan of every node that was wanted, in order, also where it was told again.
    pub plans: Vec<NodePlan>,
    /// Every launch that began, in order.
    pub launches: Vec<(Uid, LaunchPlan)>,
    stopped: BTreeSet<PlacementId>,
    news: Vec<Observation>,
}

impl Script {
    pub fn new() -> Script {
        Script(Mutex::new(State {
            capacity: Capacity {
                max_nodes: 50,
                gpus: Vec::new(),
                free_ports: (7000..7010).collect(),
                free_bytes: 1 << 40,
            },
            slow_nodes: false,
            stubborn: false,
            panics_at: None,
            nodes: BTreeMap::new(),
            runs: BTreeMap::new(),
            plans: Vec::new(),
            launches: Vec::new(),
            stopped: BTreeSet::new(),
            news: Vec::new(),
        }))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn has_news(&self) -> bool {
        !self.state().news.is_empty()
    }

    /// All nodes in preparation are ready.
    pub fn ready(&self) {
        let mut state = self.state();
        let waiting: Vec<Uid> = state
            .nodes
            .iter()
            .filter(|(_, seen)| **seen == NodeSeen::Preparing)
            .map(|(uid, _)| *uid)
            .collect();
        for node in waiting {
            state.node(node, NodeSeen::Ready);
        }
    }

    /// The setup task of every node in preparation fails.
    pub fn fail_setup(&self) {
        let mut state = self.state();
        let nodes: Vec<Uid> = state.nodes.keys().copied().collect();
        for node in nodes {
            state.node(
                node,
                NodeSeen::SetupFailed(vec![BatchAiError::new("SetupTaskFailed", "it failed")]),
            );
        }
    }

    /// Every node in preparation is lost. How many.
    pub fn lose_those_that_prepare(&self) -> usize {
        let mut state = self.state();
        let prepares = |(_, seen): &(&Uid, &NodeSeen)| **seen == NodeSeen::Preparing;
        let nodes: Vec<Uid> = state.nodes.iter().filter(prepares).map(|(uid, _)| *uid).collect();
        for node in &nodes {
            state.gone(*node);
        }
        nodes.len()
    }

    /// The running attempt of the job with this name ends on all of its nodes.
    pub fn end(&self, job: &str, verdict: &Verdict) {
        let mut state = self.state();
        let runs = state.runs_of(job);
        assert!(!runs.is_empty(), "no attempt of {job} runs");
        for (placement, node) in runs {
            state.run(placement, node, PlacementSeen::Ended(verdict.clone()));
        }
    }

    /// The nodes on which the job with this name runs are lost.
    pub fn lose_nodes_of(&self, job: &str) {
        let mut state = self.state();
        let runs = state.runs_of(job);
        assert!(!runs.is_empty(), "no attempt of {job} runs");
        for (_, node) in runs {
            state.gone(node);
        }
    }

    /// Forgets every attempt, as nodes have when the store is set back by a restore.
    pub fn forget_runs(&self) {
        self.state().runs.clear();
    }

    /// Names of the job directories launched so far, without repetition by node.
    pub fn launched(&self) -> Vec<String> {
        let state = self.state();
        let firsts = state.launches.iter().filter(|(_, plan)| plan.node_index == 0);
        firsts.map(|(_, plan)| job_of(plan).to_owned()).collect()
    }

    /// Attempts whose end it was not told to forget, and those that run.
    pub fn remembered(&self) -> usize {
        self.state().runs.len()
    }

    pub fn node_count(&self) -> usize {
        self.state().nodes.len()
    }
}

fn job_of(plan: &LaunchPlan) -> &str {
    plan.job_directory.rsplit('/').next().unwrap()
}

impl State {
    fn runs_of(&self, job: &str) -> Vec<(PlacementId, Uid)> {
        let plans = self.launches.iter().filter(|(_, plan)| job_of(plan) == job);
        let keys = plans.map(|(node, plan)| (plan.placement, *node));
        keys.filter(|key| self.runs.get(key) == Some(&PlacementSeen::Active))
            .collect()
    }

    fn node(&mut self, node: Uid, seen: NodeSeen) {
        self.nodes.insert(node, seen.clone());
        self.news.push(Observation::Node { node, seen });
    }

    fn run(&mut self, placement: PlacementId, node: Uid, seen: PlacementSeen) {
        self.runs.insert((placement, node), seen.clone());
        self.news.push(Observation::Placement {
            node,
            placement,
            seen,
        });
    }

    fn gone(&mut self, node: Uid) {
        self.nodes.remove(&node);
        self.runs.retain(|(_, at), _| *at != node);
        self.news.push(Observation::Node {
            node,
            seen: NodeSeen::Gone,
        });
    }
}

impl Engine for Script {
    fn ensure_node(&self, plan: NodePlan) {
        let mut state = self.state();
        state.plans.push(plan.clone());
        if !state.nodes.contains_key(&plan.uid) {
            let seen = if state.slow_nodes {
                NodeSeen::Preparing
            } else {
                NodeSeen::Ready
            };
            state.node(plan.uid, seen);
        }
    }

    fn release_node(&self, node: Uid) {
        self.state().gone(node);
    }

    fn ensure_launched(&self, plans: Vec<(Uid, LaunchPlan)>) {
        let mut state = self.state();
        for (node, plan) in plans {
            let placement = plan.placement;
            if state.panics_at.as_deref() == Some(job_of(&plan)) {
                drop(state);
                panic!("planted");
            }
            if !state.runs.contains_key(&(placement, node)) && !state.stopped.contains(&placement) {
                state.launches.push((node, plan));
                state.run(placement, node, PlacementSeen::Active);
            }
        }
    }

    fn ensure_stopped(&self, placement: PlacementId, nodes: &[Uid]) {
        let mut state = self.state();
        state.stopped.insert(placement);
        if state.stubborn {
            return;
        }
        for node in nodes {
            if !matches!(state.runs.get(&(placement, *node)), Some(PlacementSeen::Ended(_))) {
                state.run(placement, *node, PlacementSeen::Ended(Verdict::Stopped));
            }
        }
    }

    fn forget(&self, placement: PlacementId, node: Uid) {
        self.state().runs.remove(&(placement, node));
    }

    fn observe(&self) -> Vec<Observation> {
        std::mem::take(&mut self.state().news)
    }

    fn observe_all(&self) -> Vec<Observation> {
        let mut state = self.state();
        state.news.clear();
        let nodes = state.nodes.iter().map(|(node, seen)| Observation::Node {
            node: *node,
            seen: seen.clone(),
        });
        let runs = state
            .runs
            .iter()
            .map(|((placement, node), seen)| Observation::Placement {
                node: *node,
                placement: *placement,
                seen: seen.clone(),
            });
        nodes.chain(runs).collect()
    }

    fn last_words(&self, node: Uid) -> Option<String> {
        Some(format!("words of {node}"))
    }

    fn paths(&self, node: Uid) -> NodePaths {
        NodePaths {
            mount_root: format!("/nodes/{node}/mounts"),
            jobs_root: format!("/nodes/{node}/jobs"),
            shared_root: "/shared".to_owned(),
            remote_shell: "/remote-shell".to_owned(),
            share_loopback: true,
            share_cores: true,
            apart: false,
        }
    }

    fn capacity(&self, ports: usize) -> Capacity {
        let mut capacity = self.state().capacity.clone();
        capacity.free_ports.truncate(ports);
        capacity
    }

    fn on_change(&self, _wake: Arc<dyn Fn() + Send + Sync>) {}
}
