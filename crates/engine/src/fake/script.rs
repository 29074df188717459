//! What decides how things go in a [`super::FakeEngine`].

use std::time::Duration;

use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{LaunchPlan, NodePlan};
use trainyard_domain::state::{BatchAiError, Verdict};

/// Decides how things go. Each method is asked once for each thing that it decides, in the order in which
/// things happen, so that a seeded script replays.
pub trait Script: Send {
    /// How a new node fares.
    fn node(&mut self, plan: &NodePlan) -> NodeCourse;

    /// How an attempt fares on a node.
    fn attempt(&mut self, node: Uid, plan: &LaunchPlan) -> Course;

    /// Whether a call, or the part of it that is about one node, has any effect; if not, it is as if the
    /// server had ended just before.
    fn call_arrives(&mut self) -> bool;

    /// When a change is observed: after each of these delays, so twice for two and never for none. What is
    /// there is told by `observe_all` all the same.
    fn delivery(&mut self) -> Vec<Duration>;

    /// How long the processes of a node outlive it, or how long its release takes.
    fn clean_up(&mut self) -> Duration;

    /// Whether `observe_all` names nodes that are gone (it may) or leaves them out.
    fn tells_gone(&mut self) -> bool;
}

/// How a node fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCourse {
    /// How long it is being set up.
    pub preparing: Duration,
    /// What comes of that.
    pub setup: Setup,
    /// How long after its begin it dies, if it does.
    pub dies: Option<Duration>,
}

/// What comes of the setup of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setup {
    /// It takes jobs.
    Ready,
    /// It is unusable.
    Failed(Vec<BatchAiError>),
}

/// How an attempt fares on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// How long after the call it starts.
    pub start: Duration,
    /// How long it runs and how it ends, if nobody stops it; `None` runs until it is stopped. The plan's
    /// `max_seconds` is kept by the engine.
    pub run: Option<(Duration, Verdict)>,
    /// What it does when it is stopped.
    pub on_stop: OnStop,
}

/// What a running attempt does when it is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnStop {
    /// It ends after this time, or after the grace of its plan if that is shorter, as `Stopped`.
    Ends(Duration),
    /// It is killed after the grace of its plan.
    Ignores,
    /// It ends after this time with an exit code of its own.
    Exits(Duration, i32),
}
