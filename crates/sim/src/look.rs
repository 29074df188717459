//! What the client must be able to see: all that it was ever told, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trainyard_domain::state::ExecutionState;

use crate::check::{nodes_at, rows};
use crate::client::{Answer, resource};
use crate::fate::End;
use crate::model::{Goal, Kind, Life, kind_of};
use crate::world::World;
use crate::{Checked, rule};

/// How long an operation may take, and how long its outcome is kept, in milliseconds.
const DEADLINE: i64 = 24 * 3_600_000;
const KEPT: i64 = 7 * DEADLINE;

/// Members of a job that must never change once it is over.
fn ending(job: &Answer) -> Value {
    json!([
        job.at("/properties/executionState"),
        job.at("/properties/executionStateTransitionTime"),
        job.at("/properties/executionInfo")
    ])
}

fn is_over(job: &Answer) -> bool {
    matches!(job.word("/properties/executionState"), "succeeded" | "failed")
}

impl World {
    /// Everything that the client knows must be so.
    pub(crate) fn check_model(&mut self) -> Checked {
        let paths: Vec<String> = self.model.resources.keys().cloned().collect();
        for path in &paths {
            self.check_resource(path)?;
        }
        for path in paths
            .iter()
            .filter(|p| matches!(kind_of(p), "experiments" | "workspaces"))
        {
            self.check_list(path)?;
        }
        for index in 0..self.model.operations.len() {
            self.check_operation(index)?;
        }
        self.check_metrics()
    }

    /// Every cluster as the client sees it: its counts add up at any time.
    pub(crate) fn check_clusters(&mut self) -> Checked {
        for path in self.model.paths("clusters") {
            if self.model.life(&path) != Life::Gone {
                self.check_resource(&path)?;
            }
        }
        Ok(())
    }

    /// One resource as the client sees it.
    pub(crate) fn check_resource(&mut self, path: &str) -> Checked {
        let life = self.model.life(path);
        let answer = self.read(&resource(path))?;
        match (life, answer.status) {
            (Life::Standing, 200) => {
                rule!(
                    answer.word("/properties/provisioningState") == "succeeded",
                    "{path} was never deleted and is {}",
                    answer.at("/properties/provisioningState")
                );
                self.same_etag(path, &answer)?;
            }
            (Life::Standing, status) => {
                rule!(
                    false,
                    "{path} was acknowledged and is answered {status}: {}",
                    answer.text
                );
            }
            (Life::Deleting, 200) => {}
            (Life::Deleting, 404) => {
                self.model.gone(path);
                return Ok(());
            }
            (Life::Gone, 404) => return Ok(()),
            (Life::Deleting | Life::Gone, status) => {
                rule!(false, "{path} ({life:?}) is answered {status}: {}", answer.text);
            }
        }
        match kind_of(path) {
            "clusters" => self.check_cluster(path, &answer),
            "jobs" => self.check_job(path, &answer),
            _ => Ok(()),
        }
    }

    fn check_cluster(&self, path: &str, answer: &Answer) -> Checked {
        let counts = answer.at("/properties/nodeStateCounts").as_object();
        let sum: u64 = counts
            .iter()
            .flat_map(|c| c.values())
            .filter_map(Value::as_u64)
            .sum();
        let total = answer.at("/properties/currentNodeCount").as_u64();
        rule!(
            total == Some(sum) && counts.is_some_and(|c| c.len() == 5),
            "currentNodeCount of {path} is {total:?} and its nodes are {counts:?}"
        );
        let nodes = self.store.read(|s| nodes_at(s, path))?;
        rule!(
            total == Some(nodes.len() as u64),
            "currentNodeCount of {path} is {total:?}, and it has {} nodes",
            nodes.len()
        );
        let leaving = nodes.iter().filter(|n| n.status.leaving).count() as u64;
        let shown = answer.at("/properties/nodeStateCounts/leavingNodeCount").as_u64();
        rule!(
            shown == Some(leaving),
            "leavingNodeCount of {path} is {shown:?}, and {leaving} nodes of it leave"
        );
        let known = self.model.cluster(path).map(|c| &c.scale);
        let shown = answer.at("/properties/scaleSettings");
        rule!(
            known == Some(shown),
            "scaleSettings of {path} were acknowledged as {known:?} and are {shown}"
        );
        Ok(())
    }

    fn check_job(&mut self, path: &str, answer: &Answer) -> Checked {
        let over = is_over(answer);
        let end = ending(answer);
        let Some(job) = self.model.job(path) else {
            return Ok(());
        };
        rule!(
            answer.at("/properties/nodeCount").as_u64() == Some(u64::from(job.nodes)),
            "nodeCount of {path} was acknowledged as {} and is {}",
            job.nodes,
            answer.at("/properties/nodeCount")
        );
        match &job.last {
            Some(last) => rule!(*last == end, "{path} was over as {last} and is {end} now"),
            None if over => self.explain(path, answer)?,
            None => {}
        }
        if over && let Some(Kind::Job(job)) = self.model.resources.get_mut(path).map(|r| &mut r.kind) {
            job.last = Some(end);
        }
        Ok(())
    }

    /// A job that is over must be so for a reason that the client knows.
    fn explain(&self, path: &str, answer: &Answer) -> Checked {
        let Some(job) = self.model.job(path) else {
            return Ok(());
        };
        let state = answer.word("/properties/executionState");
        let exit = answer.at("/properties/executionInfo/exitCode").as_i64();
        let code = answer.word("/properties/executionInfo/errors/0/code");
        let by_resize = self.model.cluster(&job.cluster).is_some_and(|c| c.terminates);
        let known = match code {
            "" => state == "succeeded" && exit == Some(0) && job.fate.end == End::Exits(0),
            "JobFailed" => matches!(job.fate.end, End::Exits(c) if c != 0 && exit == Some(i64::from(c))),
            "JobPreparationFailed" => {
                matches!(job.fate.end, End::PreparationFails(c) if exit == Some(i64::from(c)))
            }
            "JobMaxWallClockTimeExceeded" => job.limited || !matches!(job.fate.end, End::Exits(_)),
            "JobTerminated" => (job.stop_asked || by_resize) && exit.is_none(),
            // Held against the engine's history in `Watch`.
            "NodeLost" => true,
            "AZFMountError" => job.share,
            _ => false,
        };
        rule!(
            known && (code.is_empty() || state == "failed"),
            "{path} with fate {:?} is {state}, exit code {exit:?}, {}",
            job.fate,
            answer.at("/properties/executionInfo/errors")
        );
        Ok(())
    }

    /// A list by pages shows what stands, each once, and nothing else but what is being deleted.
    pub(crate) fn check_list(&mut self, parent: &str) -> Checked {
        let kinds: &[&str] = match kind_of(parent) {
            "experiments" => &["jobs"],
            _ => &["clusters", "experiments"],
        };
        if self.model.life(parent) == Life::Gone {
            return Ok(());
        }
        for kind in kinds {
            let size = 1 + self.step() % 7;
            let mut next = format!("{}/{kind}?maxresults={size}", resource(parent));
            let mut names = Vec::new();
            while !next.is_empty() {
                let page = self.read(&next)?;
                if page.status == 404 && self.model.life(parent) == Life::Deleting {
                    return Ok(());
                }
                rule!(
                    page.status == 200,
                    "{next} was answered {}: {}",
                    page.status,
                    page.text
                );
                let values = page.at("/value").as_array().cloned().unwrap_or_default();
                rule!(
                    values.len() <= size as usize,
                    "a page of {size} has {} entries",
                    values.len()
                );
                names.extend(
                    values
                        .iter()
                        .filter_map(|v| v["name"].as_str().map(str::to_owned)),
                );
                let link = page.word("/nextLink");
                next = link.strip_prefix("http://sim").unwrap_or(link).to_owned();
            }
            let listed: BTreeSet<&String> = names.iter().collect();
            rule!(
                listed.len() == names.len(),
                "{kind} of {parent} are listed twice: {names:?}"
            );
            let prefix = format!("{parent}/{kind}/");
            for (path, known) in &self.model.resources {
                let Some(name) = path.strip_prefix(&prefix).filter(|n| !n.contains('/')) else {
                    continue;
                };
                let shown = listed.contains(&name.to_owned());
                rule!(
                    match known.life {
                        Life::Standing => shown,
                        Life::Deleting => true,
                        Life::Gone => !shown,
                    },
                    "{path} ({:?}) is {} in its list",
                    known.life,
                    if shown { "" } else { "not" }
                );
            }
            let unknown = names
                .iter()
                .find(|n| !self.model.resources.contains_key(&format!("{prefix}{n}")));
            rule!(
                unknown.is_none(),
                "{kind} of {parent} have {unknown:?}, which nobody made"
            );
        }
        Ok(())
    }

    /// Polls an operation: both URLs agree, and what is over stays as it is. Whether it is over.
    pub(crate) fn check_operation(&mut self, index: usize) -> Checked<bool> {
        let Some(known) = self.model.operations.get(index) else {
            return Ok(true);
        };
        let (result, status) = (known.result.clone(), known.status.clone());
        let (goal, since, before) = (known.goal.clone(), known.since, known.answer.clone());
        let same = known.birth == self.model.birth(goal.path());
        let age = self.clock.elapsed() - since;
        let answer = self.read(&result)?;
        let short = self.read(&status)?;
        if answer.status == 404 && age > KEPT && before.is_some() {
            return Ok(true);
        }
        rule!(
            answer.status == 200,
            "{result} is answered {}: {}",
            answer.status,
            answer.text
        );
        let word = answer.word("/status");
        rule!(
            matches!(
                (word, short.status),
                ("InProgress", 202) | ("Succeeded", 204) | ("Failed", 409)
            ),
            "{result} is {word} and {status} is answered {}",
            short.status
        );
        rule!(
            word != "Failed" || age >= DEADLINE,
            "{result} failed after {age} ms: {}",
            answer.text
        );
        if let Some(before) = before {
            rule!(
                before == answer.text,
                "{result} was over as {before} and is {} now",
                answer.text
            );
            return Ok(true);
        }
        if word == "InProgress" {
            return Ok(false);
        }
        if word == "Succeeded" && same {
            self.check_goal(&goal)?;
        }
        if let Some(known) = self.model.operations.get_mut(index) {
            known.answer = Some(answer.text);
        }
        Ok(true)
    }

    /// What an operation waited for has come, unless the name is used again.
    fn check_goal(&mut self, goal: &Goal) -> Checked {
        match goal {
            Goal::Deleted(path) if self.model.life(path) == Life::Deleting => {
                let answer = self.read(&resource(path))?;
                rule!(
                    answer.status == 404,
                    "the deletion of {path} has succeeded, and it is answered {}",
                    answer.status
                );
                self.model.gone(path);
            }
            Goal::Ended(path) if self.model.life(path) == Life::Standing => {
                let asked = self.model.job(path).is_some_and(|j| j.stop_asked);
                let answer = self.read(&resource(path))?;
                rule!(
                    !asked || is_over(&answer),
                    "the termination of {path} has succeeded, and it is {}",
                    answer.at("/properties/executionState")
                );
            }
            Goal::Deleted(_) | Goal::Ended(_) => {}
        }
        Ok(())
    }

    /// `/metrics` counts what is there.
    fn check_metrics(&mut self) -> Checked {
        let text = self.read("/metrics")?.text;
        let rows = self.store.read(rows)?;
        for state in ExecutionState::ALL {
            let there = rows
                .jobs
                .iter()
                .filter(|j| j.status.execution_state() == state)
                .count();
            let line = format!("trainyard_jobs{{state=\"{}\"}} {there}\n", state.as_str());
            rule!(text.contains(&line), "/metrics does not say {line}");
        }
        Ok(())
    }
}
