//! What truly ran, as the engine wrote it down, and what may never happen there.

use std::collections::{BTreeMap, BTreeSet};

use trainyard_domain::ids::{Attempt, PlacementId, Uid};
use trainyard_domain::state::{Job, JobPhase, JobStatus, NODE_LOST, Seen, Verdict};
use trainyard_engine::fake::{Fact, FakeEngine, What};

use crate::{Checked, rule};

/// What is known of the engine's history.
#[derive(Default)]
pub struct Watch {
    known: usize,
    /// Every start of an attempt on a node.
    started: BTreeSet<(PlacementId, Uid)>,
    /// What runs now.
    live: BTreeMap<Uid, PlacementId>,
    /// How attempts ended on nodes; `None` with their node.
    ends: BTreeMap<(PlacementId, Uid), Option<Verdict>>,
    /// Attempts on nodes where what decides has ended well, while the rest went on.
    decided: BTreeSet<(PlacementId, Uid)>,
    gone: BTreeSet<Uid>,
    /// Nodes that were pre-empted, and the attempt that held them then.
    leaving: BTreeMap<Uid, Option<PlacementId>>,
    /// The nodes that attempts were given, as stored.
    placed: BTreeMap<PlacementId, Vec<Uid>>,
    /// Jobs that are over, as stored when it was first seen.
    finals: BTreeMap<Uid, JobStatus>,
    attempts: BTreeMap<Uid, Attempt>,
}

impl Watch {
    /// How many starts there were.
    pub fn starts(&self) -> usize {
        self.started.len()
    }

    /// A node was pre-empted; this attempt holds it until it is over, and none after it.
    pub fn leaves(&mut self, node: Uid, attempt: Option<PlacementId>) {
        self.leaving.entry(node).or_insert(attempt);
    }

    /// Takes in what the engine wrote down since; the new facts in words.
    pub fn absorb(&mut self, engine: &FakeEngine) -> Checked<Vec<String>> {
        let facts = engine.facts(self.known);
        self.known += facts.len();
        let mut words = Vec::with_capacity(facts.len());
        for fact in facts {
            words.push(format!("engine: node {} {:?}", fact.node, fact.what));
            self.take(fact)?;
        }
        Ok(words)
    }

    fn take(&mut self, fact: Fact) -> Checked {
        let node = fact.node;
        match fact.what {
            What::NodeBegun => {}
            What::NodeReleased(live) => {
                rule!(
                    live.is_empty(),
                    "node {node} was released while {live:?} ran on it"
                );
            }
            What::NodeGone => {
                self.gone.insert(node);
            }
            What::Started(id) => {
                rule!(
                    self.started.insert((id, node)),
                    "attempt {id} started twice on node {node}"
                );
                let last = self.leaving.get(&node);
                rule!(
                    last.is_none_or(|last| *last == Some(id)),
                    "attempt {id} started on node {node}, which was pre-empted before"
                );
                if let Some(other) = self.live.insert(node, id) {
                    rule!(false, "node {node} runs {other} and {id} at once");
                }
                for (at, other) in &self.live {
                    rule!(
                        other.job != id.job || other.attempt == id.attempt,
                        "{other} still runs on node {at} when {id} starts on node {node}"
                    );
                }
                let newest = self
                    .started
                    .iter()
                    .filter(|(o, _)| o.job == id.job)
                    .map(|(o, _)| o.attempt);
                let newest = newest.max().unwrap_or_default();
                rule!(newest <= id.attempt, "{id} starts after attempt {newest}");
            }
            What::Decided(id) => {
                self.decided.insert((id, node));
            }
            What::Ended(id, verdict) => {
                self.live.remove(&node);
                self.ends.insert((id, node), Some(verdict));
            }
            What::Killed(id) => {
                self.live.remove(&node);
                self.ends.insert((id, node), None);
            }
            What::Misused(problem) => rule!(false, "the engine was misused: {problem}"),
        }
        Ok(())
    }

    /// Looks at a stored job: attempts grow, what is over stays as it is and is what truly happened.
    pub fn look(&mut self, job: &Job) -> Checked {
        let (uid, status) = (job.meta.uid, &job.status);
        let last = self.attempts.insert(uid, status.attempt).unwrap_or_default();
        rule!(
            last <= status.attempt,
            "job {uid} went from attempt {last} back to {}",
            status.attempt
        );
        if let Some(placement) = &status.placement {
            let nodes = placement.nodes.iter().map(|n| n.uid).collect();
            self.placed.insert(job.placement_id(), nodes);
        }
        if let Some(before) = self.finals.get(&uid) {
            rule!(
                before == status,
                "job {uid} was over and changed: {before:?} to {status:?}"
            );
        } else if status.is_final() {
            self.finals.insert(uid, status.clone());
            return self.check_end(job);
        }
        Ok(())
    }

    /// A job that has just ended: was it so?
    fn check_end(&self, job: &Job) -> Checked {
        let (id, status) = (job.placement_id(), &job.status);
        let nodes = status.placement.as_ref().map_or(&[][..], |p| &p.nodes);
        for node in nodes {
            let truth = self.ends.get(&(id, node.uid));
            rule!(
                self.live.get(&node.uid) != Some(&id),
                "{id} is over, and still runs on node {}",
                node.uid
            );
            let as_seen = match &node.seen {
                Seen::Nothing | Seen::Active | Seen::Decided => false,
                Seen::Lost => self.gone.contains(&node.uid),
                // Stopped before it began, or never told to begin.
                Seen::Ended(Verdict::Stopped) => truth.is_none() || truth == Some(&Some(Verdict::Stopped)),
                Seen::Ended(Verdict::NotStarted(..)) => truth.is_none(),
                Seen::Ended(verdict) => truth == Some(&Some(verdict.clone())),
            };
            rule!(
                as_seen,
                "{id} is over with {:?} on node {}, and the truth is {truth:?}",
                node.seen,
                node.uid
            );
        }
        if status.phase == JobPhase::Succeeded {
            let all = nodes.len() == job.spec.node_count as usize
                && nodes.iter().all(|n| {
                    let lost_later = n.seen == Seen::Lost && self.decided.contains(&(id, n.uid));
                    !n.decides || lost_later || n.seen == Seen::Ended(Verdict::Exited(0))
                });
            rule!(
                all,
                "{id} succeeded, and not on all its nodes that decide: {nodes:?}"
            );
        }
        Ok(())
    }

    /// Whether a node was there and is truly gone.
    pub fn is_gone(&self, node: Uid) -> bool {
        self.gone.contains(&node)
    }

    /// How many attempts of a job lost a node.
    pub fn losses(&self, job: Uid) -> usize {
        let of_job = self.placed.iter().filter(|(id, _)| id.job == job);
        of_job
            .filter(|(_, nodes)| nodes.iter().any(|n| self.gone.contains(n)))
            .count()
    }

    /// A job that says that its nodes were lost too often must have lost them that often.
    pub fn check_node_lost(&self, job: &Job, max_losses: u32) -> Checked {
        let errors = job.status.execution.iter().flat_map(|e| &e.errors);
        if errors.map(|e| e.code.as_str()).any(|code| code == NODE_LOST) {
            let losses = self.losses(job.meta.uid);
            rule!(
                losses > max_losses as usize,
                "job {} failed with {NODE_LOST} after {losses} losses",
                job.meta.name
            );
        }
        Ok(())
    }
}
