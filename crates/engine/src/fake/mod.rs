//! A fake engine: nodes and attempts in memory, in a time that is handed in.
//!
//! What happens is decided by a [`Script`]: how long things take, how they end, which calls and observations
//! are lost. Whatever the script says, the engine keeps the contract of [`Engine`]. It outlives the server
//! that talks to it, and writes down what truly happened ([`Fact`]).

mod script;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePaths, NodePlan};

pub use script::{Course, NodeCourse, OnStop, Script, Setup};
use state::State;

use trainyard_domain::state::Verdict;

use crate::{Capacity, Engine, Observation};

/// Something that truly happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// When.
    pub at: Timestamp,
    /// On which node.
    pub node: Uid,
    /// What.
    pub what: What,
}

/// What happened on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The node began.
    NodeBegun,
    /// The node is not wanted any more, while these attempts ran on it or were about to.
    NodeReleased(Vec<PlacementId>),
    /// The node is no more, and nothing that it ran is left.
    NodeGone,
    /// Processes of the attempt run from here on.
    Started(PlacementId),
    /// Those of them that decide have ended with 0; others go on until they are stopped.
    Decided(PlacementId),
    /// They ran and nothing of them is left.
    Ended(PlacementId, Verdict),
    /// They ran until their node went, and nothing of them is left.
    Killed(PlacementId),
    /// The engine was asked for something that a server must never ask.
    Misused(String),
}

/// The fake. It is shared by the servers that come and go, and by who watches it.
pub struct FakeEngine {
    state: Mutex<State>,
}

impl FakeEngine {
    /// An engine without nodes.
    pub fn new(script: Box<dyn Script>, capacity: Capacity, now: Timestamp) -> FakeEngine {
        FakeEngine {
            state: Mutex::new(State::new(script, capacity, now)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass until `now`; what is due happens in order.
    pub fn advance(&self, now: Timestamp) {
        let wake = {
            let mut state = self.state();
            state.advance(now);
            state.take_wake()
        };
        if let Some(wake) = wake {
            wake();
        }
    }

    /// When the next thing happens, if nobody calls.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.state().next_event()
    }

    /// Kills a node; what it runs dies with it or soon after. Whether there was one.
    pub fn kill_node(&self, node: Uid) -> bool {
        self.state().kill(node)
    }

    /// Nodes that are not gone.
    pub fn nodes(&self) -> Vec<Uid> {
        self.state().standing()
    }

    /// Attempts that run, or are about to, with their nodes.
    pub fn live(&self) -> Vec<(Uid, PlacementId)> {
        self.state().live()
    }

    /// Attempts that have ended and are still remembered, with their nodes.
    pub fn remembered(&self) -> Vec<(Uid, PlacementId)> {
        self.state().remembered()
    }

    /// What happened since the first `known` facts.
    pub fn facts(&self, known: usize) -> Vec<Fact> {
        self.state().facts.get(known..).unwrap_or_default().to_vec()
    }

    /// Changes what the engine can hold.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.state().capacity = capacity;
    }
}

impl Engine for FakeEngine {
    fn ensure_node(&self, plan: NodePlan) {
        self.state().ensure_node(plan);
    }

    fn release_node(&self, node: Uid) {
        self.state().release_node(node);
    }

    fn ensure_launched(&self, plans: Vec<(Uid, LaunchPlan)>) {
        let mut state = self.state();
        for (node, plan) in plans {
            state.ensure_launched(node, plan);
        }
    }

    fn ensure_stopped(&self, placement: PlacementId, nodes: &[Uid]) {
        let mut state = self.state();
        for node in nodes {
            state.ensure_stopped(placement, *node);
        }
    }

    fn forget(&self, placement: PlacementId, node: Uid) {
        self.state().forget(placement, node);
    }

    fn observe(&self) -> Vec<Observation> {
        std::mem::take(&mut self.state().due)
    }

    fn observe_all(&self) -> Vec<Observation> {
        self.state().observe_all()
    }

    fn paths(&self, node: Uid) -> NodePaths {
        NodePaths {
            mount_root: format!("/fake/{node}/mounts"),
            jobs_root: format!("/fake/{node}/jobs"),
            shared_root: "/fake/shared".to_owned(),
            remote_shell: "/fake/remote-shell".to_owned(),
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

    fn on_change(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        self.state().wake = Some(wake);
    }
}

#[cfg(test)]
mod tests;
