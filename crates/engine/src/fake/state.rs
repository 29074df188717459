//! What a [`super::FakeEngine`] holds, and how time changes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use trainyard_domain::ids::{GpuId, PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePlan};
use trainyard_domain::state::{BatchAiError, Verdict};

use super::script::{Course, OnStop, Script, Setup};
use super::{Fact, What};
use crate::{Capacity, NodeSeen, Observation, PlacementSeen};

type Wake = Arc<dyn Fn() + Send + Sync>;

pub(super) struct State {
    script: Box<dyn Script>,
    pub(super) capacity: Capacity,
    now: Timestamp,
    /// Nodes by uid; one that is gone stays, so that it never begins again.
    nodes: BTreeMap<Uid, Node>,
    /// What is to happen, in order of time, then of when it was planned.
    events: BTreeMap<(Timestamp, u64), Happening>,
    planned: u64,
    /// What is to be told at the next `observe`.
    pub(super) due: Vec<Observation>,
    pub(super) facts: Vec<Fact>,
    pub(super) wake: Option<Wake>,
    woken: bool,
}

struct Node {
    phase: Phase,
    gpus: Vec<GpuId>,
    attempts: BTreeMap<PlacementId, Attempt>,
}

enum Phase {
    Preparing,
    Ready,
    SetupFailed(Vec<BatchAiError>),
    /// Its own process is dead, not yet all that it ran. From outside it looks as before.
    Dying(NodeSeen),
    Gone,
}

enum Attempt {
    Pending(Box<Course>, Limits),
    Running {
        on_stop: OnStop,
        limits: Limits,
        stopping: bool,
        decided: bool,
    },
    Ended(Verdict),
}

#[derive(Clone, Copy)]
struct Limits {
    longest: Duration,
    grace: Duration,
    /// Beside the processes that decide there are others, which go on until the attempt is stopped.
    lasts: bool,
}

enum Happening {
    SetUp(Uid, Setup),
    Dies(Uid),
    Gone(Uid),
    Starts(Uid, PlacementId),
    Decides(Uid, PlacementId),
    Ends(Uid, PlacementId, Verdict),
    Told(Observation),
}

impl State {
    pub(super) fn new(script: Box<dyn Script>, capacity: Capacity, now: Timestamp) -> State {
        State {
            script,
            capacity,
            now,
            nodes: BTreeMap::new(),
            events: BTreeMap::new(),
            planned: 0,
            due: Vec::new(),
            facts: Vec::new(),
            wake: None,
            woken: false,
        }
    }

    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.events.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                break;
            }
            let happening = entry.remove();
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.now = self.now.max(now);
    }

    pub(super) fn next_event(&self) -> Option<Timestamp> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// The server's wake-up, if there is something to observe now.
    pub(super) fn take_wake(&mut self) -> Option<Wake> {
        std::mem::take(&mut self.woken)
            .then(|| self.wake.clone())
            .flatten()
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.planned += 1;
        let at = self.now.checked_add(after).unwrap_or(Timestamp::MAX);
        self.events.insert((at, self.planned), happening);
    }

    fn fact(&mut self, node: Uid, what: What) {
        let at = self.now;
        self.facts.push(Fact { at, node, what });
    }

    fn tell(&mut self, observation: Observation) {
        for delay in self.script.delivery() {
            self.plan(delay, Happening::Told(observation.clone()));
        }
    }

    fn tell_node(&mut self, node: Uid, seen: NodeSeen) {
        self.tell(Observation::Node { node, seen });
    }

    fn tell_attempt(&mut self, node: Uid, placement: PlacementId, seen: PlacementSeen) {
        self.tell(Observation::Placement {
            node,
            placement,
            seen,
        });
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::SetUp(uid, setup) => self.set_up(uid, setup),
            Happening::Dies(uid) => {
                self.kill(uid);
            }
            Happening::Gone(uid) => self.gone(uid),
            Happening::Starts(uid, id) => self.start(uid, id),
            Happening::Decides(uid, id) => self.decide(uid, id),
            Happening::Ends(uid, id, verdict) => self.end(uid, id, verdict),
            Happening::Told(observation) => {
                self.due.push(observation);
                self.woken = true;
            }
        }
    }

    fn set_up(&mut self, uid: Uid, setup: Setup) {
        let Some(node) = self.nodes.get_mut(&uid) else {
            return;
        };
        if !matches!(node.phase, Phase::Preparing) {
            return;
        }
        let seen = match setup {
            Setup::Ready => {
                node.phase = Phase::Ready;
                NodeSeen::Ready
            }
            Setup::Failed(errors) => {
                node.phase = Phase::SetupFailed(errors.clone());
                NodeSeen::SetupFailed(errors)
            }
        };
        self.tell_node(uid, seen);
    }

    pub(super) fn kill(&mut self, uid: Uid) -> bool {
        let Some(node) = self.nodes.get_mut(&uid) else {
            return false;
        };
        let Some(seen) = node.phase.seen() else {
            return false;
        };
        if matches!(node.phase, Phase::Dying(_)) {
            return false;
        }
        node.phase = Phase::Dying(seen);
        let after = self.script.clean_up();
        self.plan(after, Happening::Gone(uid));
        true
    }

    fn gone(&mut self, uid: Uid) {
        let Some(node) = self.nodes.get_mut(&uid) else {
            return;
        };
        if matches!(node.phase, Phase::Gone) {
            return;
        }
        node.phase = Phase::Gone;
        let attempts = std::mem::take(&mut node.attempts);
        for (id, attempt) in attempts {
            match attempt {
                Attempt::Running { .. } => self.fact(uid, What::Killed(id)),
                Attempt::Pending(..) | Attempt::Ended(_) => {}
            }
        }
        self.fact(uid, What::NodeGone);
        self.tell_node(uid, NodeSeen::Gone);
    }

    fn start(&mut self, uid: Uid, id: PlacementId) {
        let Some(node) = self.nodes.get_mut(&uid) else {
            return;
        };
        let dying = matches!(node.phase, Phase::Dying(_));
        let Some(attempt) = node.attempts.get_mut(&id) else {
            return;
        };
        let Attempt::Pending(course, limits) = attempt else {
            return;
        };
        if dying {
            return;
        }
        let limits = *limits;
        let Course { run, on_stop, .. } = (**course).clone();
        *attempt = Attempt::Running {
            on_stop,
            limits,
            stopping: false,
            decided: false,
        };
        self.fact(uid, What::Started(id));
        self.tell_attempt(uid, id, PlacementSeen::Active);
        let (after, verdict) = match run {
            Some((time, verdict)) if time <= limits.longest => (time, verdict),
            Some(_) | None => (limits.longest, Verdict::TimedOut),
        };
        if limits.lasts && verdict == Verdict::Exited(0) {
            self.plan(after, Happening::Decides(uid, id));
            return self.plan(limits.longest, Happening::Ends(uid, id, Verdict::TimedOut));
        }
        self.plan(after, Happening::Ends(uid, id, verdict));
    }

    /// What decides has ended well; the attempt goes on.
    fn decide(&mut self, uid: Uid, id: PlacementId) {
        let Some(node) = self.nodes.get_mut(&uid) else {
            return;
        };
        if matches!(node.phase, Phase::Dying(_)) {
            return;
        }
        if let Some(Attempt::Running {
            decided,
            stopping: false,
            ..
        }) = node.attempts.get_mut(&id)
        {
            *decided = true;
            self.fact(uid, What::Decided(id));
            self.tell_attempt(uid, id, PlacementSeen::Decided);
        }
    }

    /// A running attempt ends. What was planned for one that has ended already comes to nothing.
    fn end(&mut self, uid: Uid, id: PlacementId, verdict: Verdict) {
        let Some(node) = self.nodes.get_mut(&uid) else {
            return;
        };
        let Some(attempt) = node.attempts.get_mut(&id) else {
            return;
        };
        match attempt {
            Attempt::Running { .. } => {}
            Attempt::Pending(..) | Attempt::Ended(_) => return,
        }
        *attempt = Attempt::Ended(verdict.clone());
        self.fact(uid, What::Ended(id, verdict.clone()));
        if !matches!(self.nodes.get(&uid).map(|n| &n.phase), Some(Phase::Dying(_))) {
            self.tell_attempt(uid, id, PlacementSeen::Ended(verdict));
        }
    }

    pub(super) fn ensure_node(&mut self, plan: NodePlan) {
        if !self.script.call_arrives() {
            return;
        }
        let uid = plan.uid;
        match self.nodes.get(&uid).map(|node| &node.phase) {
            None => {}
            Some(Phase::Gone) => return self.tell_node(uid, NodeSeen::Gone),
            Some(phase) => {
                if let Some(seen) = phase.seen() {
                    self.tell_node(uid, seen);
                }
                return;
            }
        }
        if let Some((gpu, other)) = self.shared_gpu(&plan) {
            let problem = format!("{gpu} is given to node {uid} while node {other} has it");
            self.fact(uid, What::Misused(problem));
        }
        let course = self.script.node(&plan);
        let node = Node {
            gpus: plan.gpus,
            ..Node::new(Phase::Preparing)
        };
        self.nodes.insert(uid, node);
        self.fact(uid, What::NodeBegun);
        self.tell_node(uid, NodeSeen::Preparing);
        self.plan(course.preparing, Happening::SetUp(uid, course.setup));
        if let Some(after) = course.dies {
            self.plan(after, Happening::Dies(uid));
        }
    }

    /// A GPU of the plan that a node has of which something is left.
    fn shared_gpu(&self, plan: &NodePlan) -> Option<(GpuId, Uid)> {
        let standing = self.nodes.iter().filter(|(_, n)| !matches!(n.phase, Phase::Gone));
        let mut held = standing.flat_map(|(uid, node)| node.gpus.iter().map(move |gpu| (gpu, *uid)));
        let (gpu, other) = held.find(|(gpu, _)| plan.gpus.contains(gpu))?;
        Some((gpu.clone(), other))
    }

    pub(super) fn release_node(&mut self, uid: Uid) {
        if !self.script.call_arrives() {
            return;
        }
        match self.nodes.get(&uid).map(|node| &node.phase) {
            // Never seen, so it can never begin: a call that wants it may be underway no more.
            None => {
                self.nodes.insert(uid, Node::new(Phase::Gone));
                self.tell_node(uid, NodeSeen::Gone);
            }
            Some(Phase::Gone) => self.tell_node(uid, NodeSeen::Gone),
            Some(Phase::Dying(_)) => {}
            Some(Phase::Preparing | Phase::Ready | Phase::SetupFailed(_)) => {
                let live = self.live().into_iter().filter(|(node, _)| *node == uid);
                let live = live.map(|(_, id)| id).collect();
                self.fact(uid, What::NodeReleased(live));
                self.kill(uid);
            }
        }
    }

    pub(super) fn ensure_launched(&mut self, uid: Uid, plan: LaunchPlan) {
        if !self.script.call_arrives() {
            return;
        }
        let id = plan.placement;
        let Some(node) = self.nodes.get(&uid) else {
            return self.tell_node(uid, NodeSeen::Gone);
        };
        match node.phase {
            Phase::Gone => return self.tell_node(uid, NodeSeen::Gone),
            // It has nobody who could start something.
            Phase::Dying(_) => return,
            Phase::Ready => {}
            Phase::Preparing | Phase::SetupFailed(_) => {
                let problem = format!("{id} launched on node {uid}, which is not ready");
                return self.fact(uid, What::Misused(problem));
            }
        }
        match node.attempts.get(&id) {
            Some(Attempt::Pending(..)) => return,
            Some(Attempt::Running { decided, .. }) => {
                let seen = seen_of(*decided);
                return self.tell_attempt(uid, id, seen);
            }
            Some(Attempt::Ended(verdict)) => {
                let seen = PlacementSeen::Ended(verdict.clone());
                return self.tell_attempt(uid, id, seen);
            }
            None => {}
        }
        let mut course = self.script.attempt(uid, &plan);
        // A node that waits until it is stopped has no end of its own.
        course.run = course
            .run
            .filter(|(_, verdict)| !(plan.until_stopped && matches!(verdict, Verdict::Exited(_))));
        let limits = Limits {
            longest: Duration::from_secs(plan.max_seconds.max(0).unsigned_abs()),
            grace: Duration::from_secs(u64::from(plan.grace_seconds)),
            lasts: plan.node_count > 1 && plan.processes.iter().any(|process| !process.decides),
        };
        self.plan(course.start, Happening::Starts(uid, id));
        if let Some(node) = self.nodes.get_mut(&uid) {
            node.attempts
                .insert(id, Attempt::Pending(Box::new(course), limits));
        }
    }

    pub(super) fn ensure_stopped(&mut self, id: PlacementId, uid: Uid) {
        if !self.script.call_arrives() {
            return;
        }
        let Some(node) = self.nodes.get_mut(&uid) else {
            return self.tell_node(uid, NodeSeen::Gone);
        };
        match node.phase {
            Phase::Gone => return self.tell_node(uid, NodeSeen::Gone),
            Phase::Dying(_) => return,
            Phase::Preparing | Phase::Ready | Phase::SetupFailed(_) => {}
        }
        let seen = match node.attempts.get_mut(&id) {
            Some(Attempt::Running { stopping: true, .. }) => return,
            Some(Attempt::Running {
                on_stop,
                limits,
                stopping,
                decided,
            }) => {
                *stopping = true;
                let grace = limits.grace;
                let (after, verdict) = match on_stop {
                    OnStop::Ends(time) if *decided => ((*time).min(grace), Verdict::Exited(0)),
                    OnStop::Ignores | OnStop::Exits(..) if *decided => (grace, Verdict::Exited(0)),
                    OnStop::Ends(time) => ((*time).min(grace), Verdict::Stopped),
                    OnStop::Ignores => (grace, Verdict::Stopped),
                    OnStop::Exits(time, code) if *time <= grace => (*time, Verdict::Exited(*code)),
                    OnStop::Exits(..) => (grace, Verdict::Stopped),
                };
                return self.plan(after, Happening::Ends(uid, id, verdict));
            }
            Some(Attempt::Ended(verdict)) => verdict.clone(),
            Some(Attempt::Pending(..)) | None => {
                node.attempts.insert(id, Attempt::Ended(Verdict::Stopped));
                Verdict::Stopped
            }
        };
        self.tell_attempt(uid, id, PlacementSeen::Ended(seen));
    }

    pub(super) fn forget(&mut self, id: PlacementId, uid: Uid) {
        if !self.script.call_arrives() {
            return;
        }
        let Some(node) = self.nodes.get_mut(&uid) else {
            return;
        };
        match node.attempts.get(&id) {
            Some(Attempt::Ended(_)) => {
                node.attempts.remove(&id);
            }
            Some(Attempt::Pending(..) | Attempt::Running { .. }) => {
                let dying = matches!(node.phase, Phase::Dying(_));
                if !dying {
                    let problem = format!("{id} is to be forgotten on node {uid} and has not ended there");
                    self.fact(uid, What::Misused(problem));
                }
            }
            None => {}
        }
    }

    pub(super) fn observe_all(&mut self) -> Vec<Observation> {
        let mut all = Vec::new();
        for (uid, node) in &self.nodes {
            let node_uid = *uid;
            match node.phase.seen() {
                Some(seen) => all.push(Observation::Node { node: node_uid, seen }),
                None if self.script.tells_gone() => all.push(Observation::Node {
                    node: node_uid,
                    seen: NodeSeen::Gone,
                }),
                None => {}
            }
            for (id, attempt) in &node.attempts {
                let seen = match attempt {
                    Attempt::Pending(..) => continue,
                    Attempt::Running { decided, .. } => seen_of(*decided),
                    Attempt::Ended(verdict) => PlacementSeen::Ended(verdict.clone()),
                };
                all.push(Observation::Placement {
                    node: node_uid,
                    placement: *id,
                    seen,
                });
            }
        }
        all
    }

    pub(super) fn standing(&self) -> Vec<Uid> {
        let standing = self.nodes.iter().filter(|(_, n)| !matches!(n.phase, Phase::Gone));
        standing.map(|(uid, _)| *uid).collect()
    }

    pub(super) fn live(&self) -> Vec<(Uid, PlacementId)> {
        self.attempts(|attempt| !matches!(attempt, Attempt::Ended(_)))
    }

    pub(super) fn remembered(&self) -> Vec<(Uid, PlacementId)> {
        self.attempts(|attempt| matches!(attempt, Attempt::Ended(_)))
    }

    fn attempts(&self, wanted: fn(&Attempt) -> bool) -> Vec<(Uid, PlacementId)> {
        let nodes = self.nodes.iter();
        nodes
            .flat_map(|(uid, node)| {
                let attempts = node.attempts.iter().filter(|(_, a)| wanted(a));
                attempts.map(|(id, _)| (*uid, *id))
            })
            .collect()
    }
}

/// What is seen of a running attempt.
fn seen_of(decided: bool) -> PlacementSeen {
    if decided {
        PlacementSeen::Decided
    } else {
        PlacementSeen::Active
    }
}

impl Node {
    fn new(phase: Phase) -> Node {
        Node {
            phase,
            gpus: Vec::new(),
            attempts: BTreeMap::new(),
        }
    }
}

impl Phase {
    /// What is seen of the node; `None` when it is gone.
    fn seen(&self) -> Option<NodeSeen> {
        Some(match self {
            Phase::Preparing => NodeSeen::Preparing,
            Phase::Ready => NodeSeen::Ready,
            Phase::SetupFailed(errors) => NodeSeen::SetupFailed(errors.clone()),
            Phase::Dying(seen) => seen.clone(),
            Phase::Gone => return None,
        })
    }
}
