//! What every engine has to do, told as short stories that are played with any [`Engine`].
//!
//! A [`Subject`] brings a fresh engine and knows how to make plans for it; [`CASES`] holds the stories. Each
//! returns what was broken, in words.

use trainyard_domain::ids::{Attempt, PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePlan};
use trainyard_domain::state::Verdict;

use crate::{Engine, NodeSeen, Observation, PlacementSeen};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Its only process ends at once, with this exit code.
    Ends(i32),
    /// Its preparation ends at once with this exit code, which is not 0.
    PreparationEnds(i32),
    /// It runs until it is stopped.
    UntilStopped,
}

/// A fresh engine, and what a story needs beside it.
pub trait Subject {
    /// The engine.
    fn engine(&self) -> &dyn Engine;
    /// A node whose setup goes well, or fails.
    fn node(&self, uid: Uid, setup_goes_well: bool) -> NodePlan;
    /// An attempt on these nodes.
    fn job(&self, placement: PlacementId, nodes: &[Uid], work: Work) -> Vec<(Uid, LaunchPlan)>;
    /// How often the processes of the attempt were started on the node.
    fn starts(&self, placement: PlacementId, node: Uid) -> usize;
    /// Lets the world go on until there may be something new. False when a story has waited long enough.
    fn wait(&self) -> bool;
}

/// What was broken.
pub type Outcome = Result<(), String>;

/// A story: its name, and how it goes.
pub type Case = (&'static str, fn(&dyn Subject) -> Outcome);

/// All stories.
pub const CASES: &[Case] = &[
    ("a node becomes ready, once", becomes_ready),
    ("a node whose setup fails says so", setup_fails),
    ("a released node is gone, an unknown one too", is_released),
    (
        "a job ends with its exit code and is started once",
        ends_with_its_code,
    ),
    ("a failed preparation is told", preparation_fails),
    ("all nodes of an attempt report", two_nodes),
    ("a stopped attempt ends as stopped", is_stopped),
    (
        "an attempt stopped before its start never starts",
        stopped_before_start,
    ),
    (
        "a forgotten attempt is not seen again and not started again",
        is_forgotten,
    ),
    ("a node that is away takes no attempt", launched_nowhere),
    ("one attempt after the other", one_after_the_other),
    ("a change is observed once, and wakes", observed_once),
    (
        "a node released with a running job is gone",
        released_while_running,
    ),
];

const NODE: Uid = Uid(11);
const OTHER: Uid = Uid(12);

fn id(job: i64) -> PlacementId {
    PlacementId {
        job: Uid(job),
        attempt: Attempt(1),
    }
}

fn node_seen(node: Uid, seen: NodeSeen) -> Observation {
    Observation::Node { node, seen }
}

fn placed(node: Uid, placement: PlacementId, seen: PlacementSeen) -> Observation {
    Observation::Placement {
        node,
        placement,
        seen,
    }
}

/// What was seen so far.
struct Story<'a> {
    subject: &'a dyn Subject,
    seen: Vec<Observation>,
}

impl<'a> Story<'a> {
    fn new(subject: &'a dyn Subject) -> Story<'a> {
        Story {
            subject,
            seen: Vec::new(),
        }
    }

    /// A story that begins with ready nodes.
    fn with_nodes(subject: &'a dyn Subject, nodes: &[Uid]) -> Result<Story<'a>, String> {
        let mut story = Story::new(subject);
        for &node in nodes {
            subject.engine().ensure_node(subject.node(node, true));
        }
        for &node in nodes {
            story.until(&node_seen(node, NodeSeen::Ready))?;
        }
        Ok(story)
    }

    fn engine(&self) -> &dyn Engine {
        self.subject.engine()
    }

    fn launch(&self, placement: PlacementId, nodes: &[Uid], work: Work) {
        self.engine()
            .ensure_launched(self.subject.job(placement, nodes, work));
    }

    fn look(&mut self) {
        let news = self.engine().observe();
        self.seen.extend(news);
    }

    fn count(&self, what: &Observation) -> usize {
        self.seen.iter().filter(|seen| *seen == what).count()
    }

    /// Waits until it is seen, from the beginning of the story on.
    fn until(&mut self, what: &Observation) -> Outcome {
        self.until_times(what, 1)
    }

    fn until_times(&mut self, what: &Observation, times: usize) -> Outcome {
        loop {
            self.look();
            if self.count(what) >= times {
                return Ok(());
            }
            if !self.subject.wait() {
                return Err(format!("never seen: {what:?}; seen: {:?}", self.seen));
            }
        }
    }

    fn ended(&mut self, node: Uid, placement: PlacementId, verdict: Verdict) -> Outcome {
        self.until(&placed(node, placement, PlacementSeen::Ended(verdict)))
    }

    fn expect_starts(&self, placement: PlacementId, node: Uid, wanted: usize) -> Outcome {
        let starts = self.subject.starts(placement, node);
        check(starts == wanted, || {
            format!("{placement} was started {starts} times on node {node}, not {wanted}")
        })
    }

    fn lists(&self, placement: PlacementId) -> bool {
        self.engine()
            .observe_all()
            .iter()
            .any(|seen| matches!(seen, Observation::Placement { placement: p, .. } if *p == placement))
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn becomes_ready(subject: &dyn Subject) -> Outcome {
    let mut story = Story::new(subject);
    let ready = node_seen(NODE, NodeSeen::Ready);
    for _ in 0..3 {
        story.engine().ensure_node(subject.node(NODE, true));
    }
    story.until(&ready)?;
    story.engine().ensure_node(subject.node(NODE, true));
    story.launch(id(1), &[NODE], Work::Ends(0));
    story.ended(NODE, id(1), Verdict::Exited(0))?;
    check(story.count(&ready) == 1, || {
        "it became ready more than once".to_owned()
    })?;
    let all = story.engine().observe_all();
    check(all.contains(&ready), || {
        format!("a look at all does not show it: {all:?}")
    })
}

fn setup_fails(subject: &dyn Subject) -> Outcome {
    let mut story = Story::new(subject);
    story.engine().ensure_node(subject.node(NODE, false));
    loop {
        story.look();
        let failed = story.seen.iter().find_map(|seen| match seen {
            Observation::Node {
                seen: NodeSeen::SetupFailed(errors),
                ..
            } => Some(errors.clone()),
            Observation::Node { .. } | Observation::Placement { .. } => None,
        });
        if let Some(errors) = failed {
            return check(!errors.is_empty(), || "it does not say why".to_owned());
        }
        check(subject.wait(), || format!("never seen to fail: {:?}", story.seen))?;
    }
}

fn is_released(subject: &dyn Subject) -> Outcome {
    let mut story = Story::with_nodes(subject, &[NODE])?;
    let gone = node_seen(NODE, NodeSeen::Gone);
    story.engine().release_node(NODE);
    story.until(&gone)?;
    let all = story.engine().observe_all();
    let listed = |seen: &Observation| matches!(seen, Observation::Node { node, .. } if *node == NODE);
    check(!all.iter().any(listed), || format!("it is still listed: {all:?}"))?;
    story.engine().release_node(NODE);
    story.until_times(&gone, 2)?;
    story.engine().release_node(OTHER);
    story.until(&node_seen(OTHER, NodeSeen::Gone))
}

fn ends_with_its_code(subject: &dyn Subject) -> Outcome {
    let mut story = Story::with_nodes(subject, &[NODE])?;
    for (job, code) in [(1, 0), (2, 3)] {
        for _ in 0..3 {
            story.launch(id(job), &[NODE], Work::Ends(code));
        }
        story.ended(NODE, id(job), Verdict::Exited(code))?;
        story.launch(id(job), &[NODE], Work::Ends(code));
    }
    story.launch(id(3), &[NODE], Work::Ends(0));
    story.ended(NODE, id(3), Verdict::Exited(0))?;
    story.expect_starts(id(1), NODE, 1)?;
    story.expect_starts(id(2), NODE, 1)?;
    check(story.lists(id(2)), || {
        "an end is not shown until it is forgotten".to_owned()
    })
}

fn preparation_fails(subject: &dyn Subject) -> Outcome {
    let mut story = Story::with_nodes(subject, &[NODE])?;
    story.launch(id(1), &[NODE], Work::PreparationEnds(4));
    story.ended(NODE, id(1), Verdict::PreparationFailed(4))?;
    story.expect_starts(id(1), NODE, 0)
}

fn two_nodes(subject: &dyn Subject) -> Outcome {
    let nodes = [NODE, OTHER];
    let mut story = Story::with_nodes(subject, &nodes)?;
    story.launch(id(1), &nodes, Work::Ends(0));
    for node in nodes {
        story.ended(node, id(1), Verdict::Exited(0))?;
        story.expect_starts(id(1), node, 1)?;
    }
    Ok(())
}

fn is_stopped(subject: &dyn Subject) -> Outcome {
    let mut story = Story::with_nodes(subject, &[NODE])?;
    story.launch(id(1), &[NODE], Work::UntilStopped);
    story.until(&placed(NODE, id(1), PlacementSeen::Active))?;
    for _ in 0..2 {
        story.engine().ensure_stopped(id(1), &[NODE]);
    }
    story.ended(NODE, id(1), Verdict::Stopped)?;
    story.engine().ensure_stopped(id(1), &[NODE]);
    story.launch(id(2), &[NODE], Work::Ends(0));
    story.ended(NODE, id(2), Verdict::Exited(0))
}

fn stopped_before_start(subject: &dyn Subject) -> Outcome {
    let mut story = Story::with_nodes(subject, &[NODE])?;
    story.engine().ensure_stopped(id(1), &[NODE]);
    story.ended(NODE, id(1), Verdict::Stopped)?;
    story.launch(id(1), &[NODE], Work::Ends(0));
    story.launch(id(2), &[NODE], Work::Ends(0));
    story.ended(NODE, id(2), Verdict::Exited(0))?;
    story.expect_starts(id(1), NODE, 0)
}

fn is_forgotten(subject: &dyn Subject) -> Outcome {
    let mut story = Story::with_nodes(subject, &[NODE])?;
    story.launch(id(1), &[NODE], Work::Ends(0));
    story.ended(NODE, id(1), Verdict::Exited(0))?;
    for _ in 0..2 {
        story.engine().forget(id(1), NODE);
    }
    story.launch(id(2), &[NODE], Work::Ends(0));
    story.ended(NODE, id(2), Verdict::Exited(0))?;
    check(!story.lists(id(1)), || "it is still listed".to_owned())?;
    story.launch(id(1), &[NODE], Work::Ends(0));
    story.launch(id(3), &[NODE], Work::Ends(0));
    story.ended(NODE, id(3), Verdict::Exited(0))?;
    story.expect_starts(id(1), NODE, 1)
}

fn launched_nowhere(subject: &dyn Subject) -> Outcome {
    let mut story = Story::new(subject);
    let gone = node_seen(NODE, NodeSeen::Gone);
    story.launch(id(1), &[NODE], Work::Ends(0));
    story.until(&gone)?;
    story.engine().ensure_stopped(id(1), &[NODE]);
    story.until_times(&gone, 2)?;
    story.expect_starts(id(1), NODE, 0)
}

fn one_after_the_other(subject: &dyn Subject) -> Outcome {
    let mut story = Story::with_nodes(subject, &[NODE])?;
    story.launch(id(1), &[NODE], Work::UntilStopped);
    story.until(&placed(NODE, id(1), PlacementSeen::Active))?;
    story.launch(id(2), &[NODE], Work::Ends(0));
    story.look();
    story.expect_starts(id(2), NODE, 0)?;
    story.engine().ensure_stopped(id(1), &[NODE]);
    story.ended(NODE, id(2), Verdict::Exited(0))?;
    let position = |what: &Observation| story.seen.iter().position(|seen| seen == what);
    let first = position(&placed(NODE, id(1), PlacementSeen::Ended(Verdict::Stopped)));
    let second = position(&placed(NODE, id(2), PlacementSeen::Ended(Verdict::Exited(0))));
    check(first.is_some() && first < second, || {
        format!("the second did not wait for the first: {:?}", story.seen)
    })
}

fn observed_once(subject: &dyn Subject) -> Outcome {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&woken);
    subject.engine().on_change(Arc::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    }));
    let mut story = Story::with_nodes(subject, &[NODE])?;
    let before = woken.load(Ordering::SeqCst);
    check(before > 0, || "nobody was woken for a ready node".to_owned())?;
    story.launch(id(1), &[NODE], Work::Ends(0));
    story.ended(NODE, id(1), Verdict::Exited(0))?;
    check(woken.load(Ordering::SeqCst) > before, || {
        "nobody was woken for an end".to_owned()
    })?;
    story.look();
    let end = placed(NODE, id(1), PlacementSeen::Ended(Verdict::Exited(0)));
    check(story.count(&end) == 1, || "an end was observed twice".to_owned())
}

fn released_while_running(subject: &dyn Subject) -> Outcome {
    let mut story = Story::with_nodes(subject, &[NODE])?;
    story.launch(id(1), &[NODE], Work::UntilStopped);
    story.until(&placed(NODE, id(1), PlacementSeen::Active))?;
    story.engine().release_node(NODE);
    story.until(&node_seen(NODE, NodeSeen::Gone))
}
