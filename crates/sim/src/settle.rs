//! The faults stop, and everything must come to its end.

use serde_json::json;

use crate::client::resource;
use crate::fate::End;
use crate::faults::calm;
use crate::model::Life;
use crate::world::{MOST_NODES, World};
use crate::{Broken, Checked, rule};

/// How many rounds everything may take to settle.
const ROUNDS: u32 = 3_000;
/// Longest simulated time between two rounds, in milliseconds.
const TICK: i64 = 2_000;
/// Every so many rounds a full one.
const FULL_EVERY: u32 = 10;
/// Nodes of each of the at most four clusters in the end; no job needs more.
const NODES: u32 = MOST_NODES / 4;

impl World {
    /// No fault from here on: what can end ends, what is deleted goes.
    pub(crate) fn settle(&mut self) -> Checked {
        self.note("the faults stop".to_owned());
        calm(&self.rates);
        self.set_share(false)?;
        self.mend_machine();
        for path in self.standing("jobs") {
            let endless = self
                .model
                .job(&path)
                .is_some_and(|j| j.fate.end == End::Never && !j.limited);
            if endless {
                self.terminate_job(&path)?;
            }
        }
        // Unusable nodes take the place of good ones until a cluster is scaled below them.
        let clusters = self.standing("clusters");
        for path in &clusters {
            self.patch(path, scale(0))?;
        }
        self.until("no node is left", |world| {
            Ok(world.store.read(|s| Ok::<_, Broken>(s.count_nodes()?))? == 0)
        })?;
        for path in &clusters {
            self.patch(path, scale(NODES))?;
        }
        self.until("all is over", World::is_settled)?;
        self.check_model()?;
        self.check_forgotten()?;
        self.leave()
    }

    fn standing(&self, kind: &str) -> Vec<String> {
        let mut paths = self.model.paths(kind);
        paths.retain(|path| self.model.stands(path));
        paths
    }

    /// Rounds and time until something is so.
    fn until(&mut self, what: &str, done: impl Fn(&mut World) -> Checked<bool>) -> Checked {
        for round in 0..ROUNDS {
            self.next_step();
            let again = self.round(round % FULL_EVERY == 0)?;
            self.check()?;
            if !again && done(self)? {
                return Ok(());
            }
            if !again {
                self.wait_for_event()?;
            }
        }
        Err(Broken::new(format!(
            "{ROUNDS} rounds after the faults: not so that {what}. {}",
            self.unsettled()
        )))
    }

    fn wait_for_event(&mut self) -> Checked {
        let now = trainyard_server::Clock::now(&*self.clock);
        let next = self
            .engine
            .next_event()
            .map(|at| at.as_millisecond() - now.as_millisecond());
        let millis = next.unwrap_or(TICK).clamp(1, TICK);
        self.wait(millis.unsigned_abs())
    }

    fn is_settled(&mut self) -> Checked<bool> {
        Ok(self.unsettled().is_empty())
    }

    /// What is not over yet, in words.
    fn unsettled(&mut self) -> String {
        let open = |world: &mut World| -> Checked<String> {
            let jobs = world.store.read(|s| Ok::<_, Broken>(s.job_counts()?))?;
            let open: Vec<_> = jobs
                .iter()
                .filter(|(state, n)| *n > 0 && !over(state.as_str()))
                .collect();
            if !open.is_empty() {
                return Ok(format!("Jobs: {open:?}."));
            }
            for index in 0..world.model.operations.len() {
                if !world.check_operation(index)? {
                    return Ok(format!("Operation {index} is not over."));
                }
            }
            for path in world.model.paths_in(Life::Deleting) {
                world.check_resource(&path)?;
                if world.model.life(&path) == Life::Deleting {
                    return Ok(format!("{path} is not gone."));
                }
            }
            Ok(String::new())
        };
        open(self).unwrap_or_else(|broken| broken.to_string())
    }

    /// After full rounds the engine remembers nothing that nobody waits for.
    fn check_forgotten(&mut self) -> Checked {
        for _ in 0..3 {
            self.round(true)?;
            self.wait(1_000)?;
        }
        let live = self.engine.live();
        rule!(live.is_empty(), "nothing should run any more, and {live:?} does");
        let kept = self.engine.remembered();
        rule!(kept.is_empty(), "the engine was never told to forget {kept:?}");
        let nodes = self.store.read(|s| Ok::<_, Broken>(s.nodes()?))?;
        let held = nodes.iter().find(|n| n.status.placement.is_some());
        rule!(held.is_none(), "no job is left, and a node is kept: {held:?}");
        let there = self.engine.nodes();
        let known: Vec<_> = nodes.iter().map(|n| n.uid).collect();
        rule!(
            there == known,
            "the store knows nodes {known:?} and there are {there:?}"
        );
        Ok(())
    }

    /// Everything is deleted, and nothing stays behind.
    fn leave(&mut self) -> Checked {
        for path in self.standing("workspaces") {
            self.delete_path(&path)?;
        }
        self.until("everything is gone", World::is_settled)?;
        for path in self.model.paths("workspaces") {
            let answer = self.read(&resource(&path))?;
            rule!(
                answer.status == 404,
                "{path} was deleted and is answered {}",
                answer.status
            );
        }
        let there = self.engine.nodes();
        rule!(
            there.is_empty(),
            "everything is deleted, and nodes are there: {there:?}"
        );
        let open = self.model.operations.iter().find(|o| o.answer.is_none());
        rule!(
            open.is_none(),
            "an operation never ended: {:?}",
            open.map(|o| &o.goal)
        );
        Ok(())
    }
}

fn over(state: &str) -> bool {
    matches!(state, "succeeded" | "failed")
}

fn scale(nodes: u32) -> serde_json::Value {
    json!({"manual": {"targetNodeCount": nodes, "nodeDeallocationOption": "waitforjobcompletion"}})
}
