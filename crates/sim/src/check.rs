//! The rules: what must hold after every step, and what the client must be able to see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::SubscriptionId;
use trainyard_domain::spec::Scale;
use trainyard_domain::state::{
    Cluster, ExecutionState, Job, Node, NodePhase, PlacedNode, Provisioning, Seen,
};
use trainyard_store::{Page, Snapshot, StoreError};

use crate::client::{Answer, SUBSCRIPTION, resource};
use crate::model::{Goal, Kind, Life, kind_of};
use crate::workload::End;
use crate::world::{Before, MOST_NODES, World};
use crate::{Broken, Checked, rule};

/// How long an operation may take, and how long its outcome is kept, in milliseconds.
const DEADLINE: i64 = 24 * 3_600_000;
const KEPT: i64 = 7 * DEADLINE;

/// What the store holds, at one moment.
struct Rows {
    nodes: Vec<Node>,
    jobs: Vec<Job>,
    clusters: Vec<Cluster>,
    counts: Vec<(ExecutionState, u64)>,
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Broken {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        Broken::new(format!("the store: {error}: {}", cause.unwrap_or_default()))
    }
}

impl From<trainyard_store::db::Error> for Broken {
    fn from(error: trainyard_store::db::Error) -> Broken {
        Broken::from(StoreError::from(error))
    }
}

fn rows(s: &Snapshot<'_>) -> Checked<Rows> {
    let subscription = SubscriptionId::new(SUBSCRIPTION).map_err(|e| Broken::new(e.to_string()))?;
    let (mut jobs, mut clusters) = (Vec::new(), Vec::new());
    for workspace in s.workspaces(&subscription, Page::ALL)? {
        clusters.extend(s.clusters(workspace.meta.uid, Page::ALL)?);
        for experiment in s.experiments(workspace.meta.uid, Page::ALL)? {
            jobs.extend(s.jobs(experiment.meta.uid, Page::ALL)?);
        }
    }
    Ok(Rows {
        nodes: s.nodes()?,
        jobs,
        clusters,
        counts: s.job_counts()?,
    })
}

fn nodes_of(job: &Job) -> &[PlacedNode] {
    let holds = job.status.holds_nodes();
    let placement = job.status.placement.as_ref().filter(|_| holds);
    placement.map_or(&[], |p| &p.nodes)
}

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
    /// What must hold after every step.
    pub(crate) fn check(&mut self) -> Checked {
        let rows = self.store.read(|s| rows(s))?;
        self.check_nodes(&rows)?;
        self.check_gangs(&rows)?;
        self.check_running()?;
        for job in &rows.jobs {
            self.watch.look(job)?;
            self.watch.check_node_lost(job, self.settings.max_node_losses)?;
        }
        for (state, counted) in &rows.counts {
            let there = rows
                .jobs
                .iter()
                .filter(|j| j.status.execution_state() == *state)
                .count();
            rule!(
                *counted == there as u64,
                "the counters say {counted} jobs {}, and there are {there}",
                state.as_str()
            );
        }
        Ok(())
    }

    fn check_nodes(&self, rows: &Rows) -> Checked {
        rule!(
            rows.nodes.len() <= MOST_NODES as usize,
            "there are {} nodes, and the engine holds {MOST_NODES}",
            rows.nodes.len()
        );
        let known: BTreeSet<Uid> = rows.nodes.iter().map(|n| n.uid).collect();
        for node in self.engine.nodes() {
            rule!(
                known.contains(&node),
                "node {node} is there and the store does not know it"
            );
        }
        let jobs: BTreeMap<Uid, &Job> = rows.jobs.iter().map(|j| (j.meta.uid, j)).collect();
        for node in &rows.nodes {
            rule!(
                rows.clusters.iter().any(|c| c.meta.uid == node.cluster),
                "node {} has no cluster",
                node.uid
            );
            let Some(id) = node.status.placement else { continue };
            let job = jobs.get(&id.job);
            let held =
                job.is_some_and(|j| j.placement_id() == id && nodes_of(j).iter().any(|n| n.uid == node.uid));
            rule!(held, "node {} is kept for {id}, which does not hold it", node.uid);
        }
        Ok(())
    }

    fn check_gangs(&self, rows: &Rows) -> Checked {
        let nodes: BTreeMap<Uid, &Node> = rows.nodes.iter().map(|n| (n.uid, n)).collect();
        let mut taken = BTreeSet::new();
        for job in rows.jobs.iter().filter(|j| j.status.holds_nodes()) {
            let (id, placed) = (job.placement_id(), nodes_of(job));
            rule!(
                placed.len() == job.spec.node_count as usize,
                "{id} has {} nodes and needs {}",
                placed.len(),
                job.spec.node_count
            );
            for one in placed {
                match nodes.get(&one.uid) {
                    Some(node) => {
                        rule!(taken.insert(one.uid), "node {} is in two placements", one.uid);
                        rule!(
                            node.cluster == job.cluster,
                            "{id} is on a node of another cluster"
                        );
                        rule!(
                            node.status.placement == Some(id),
                            "{id} is on node {}, which is kept for {:?}",
                            one.uid,
                            node.status.placement
                        );
                    }
                    None => rule!(
                        matches!(one.seen, Seen::Lost | Seen::Ended(_)),
                        "{id} waits for node {}, which is gone",
                        one.uid
                    ),
                }
            }
        }
        Ok(())
    }

    /// Whatever runs is wanted to, as far as the store knows: its job holds the node for this very attempt
    /// and has not seen it end.
    pub(crate) fn check_running(&self) -> Checked {
        let live = self.engine.live();
        if live.is_empty() {
            return Ok(());
        }
        let jobs = self.store.read(|s| Ok::<_, Broken>(s.all_jobs_on_nodes()?))?;
        let mut open = BTreeSet::new();
        for job in &jobs {
            let seen = nodes_of(job)
                .iter()
                .filter(|n| matches!(n.seen, Seen::Nothing | Seen::Active));
            open.extend(seen.map(|n| (n.uid, job.placement_id())));
        }
        for (node, id) in live {
            rule!(
                open.contains(&(node, id)),
                "{id} runs on node {node}, and the store takes it for ended or never wanted it there"
            );
        }
        Ok(())
    }

    pub(crate) fn before_round(&self) -> Checked<Before> {
        self.store.read(|s| {
            let (jobs, nodes) = (s.all_jobs_on_nodes()?, s.nodes()?);
            let staying = nodes.iter().filter(|n| !n.status.leaving);
            Ok(Before {
                staying: staying.map(|n| n.uid).collect(),
                nodes: nodes.iter().map(|n| n.uid).collect(),
                attempts: jobs.iter().map(|j| (j.meta.uid, j.status.attempt)).collect(),
            })
        })
    }

    /// What a round may not have done: nodes above the most, a job before one that had to come first.
    pub(crate) fn check_round(&self, before: &Before, full: bool) -> Checked {
        self.store.read(|s| {
            let nodes = s.nodes()?;
            let old: BTreeSet<Uid> = before.nodes.iter().copied().collect();
            let rows = rows(s)?;
            let new: BTreeSet<Uid> = nodes.iter().map(|n| n.uid).collect();
            for uid in before.staying.difference(&new) {
                rule!(
                    self.watch.is_gone(*uid),
                    "node {uid} was given up, and nobody asked for that or saw it go"
                );
            }
            let mut ports = BTreeSet::new();
            for placement in s
                .all_jobs_on_nodes()?
                .iter()
                .filter_map(|j| j.status.placement.as_ref())
            {
                let port = placement.port;
                rule!(
                    port == 0 || ports.insert(port),
                    "port {port} is given to two jobs"
                );
            }
            for cluster in &rows.clusters {
                let uid = cluster.meta.uid;
                let here: Vec<&Node> = nodes.iter().filter(|n| n.cluster == uid).collect();
                let held = here.iter().filter(|n| !n.status.leaving).count() as u32;
                let grown = here.iter().any(|n| !old.contains(&n.uid));
                let most = cluster.spec.scale.most();
                rule!(
                    !grown || held <= most,
                    "cluster {uid} grew to {held} nodes, above its {most}"
                );
                let stands = cluster.meta.provisioning == Provisioning::Succeeded;
                let by_hand = matches!(cluster.spec.scale, Scale::Manual { .. });
                rule!(
                    !full || !by_hand || !stands || held <= most,
                    "cluster {uid} keeps {held} nodes after a full round, above its {most}"
                );
                let bad = here
                    .iter()
                    .filter(|n| !n.status.leaving && n.status.phase == NodePhase::Unusable);
                let possible = most.saturating_sub(bad.count() as u32);
                let head = s.line(uid, possible, 1)?;
                let Some(head) = head.first().map(|e| s.job_by_uid(e.job)).transpose()?.flatten() else {
                    continue;
                };
                for job in s.jobs_on_nodes(uid)? {
                    let new = before.attempts.get(&job.meta.uid) != Some(&job.status.attempt);
                    let rank = |j: &Job| (std::cmp::Reverse(j.spec.priority.0), j.meta.uid);
                    rule!(
                        !new || rank(&job) < rank(&head),
                        "job {} started before job {}, which comes first",
                        job.meta.uid,
                        head.meta.uid
                    );
                }
            }
            Ok(())
        })
    }

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
        let rows = self.store.read(|s| rows(s))?;
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
