//! What must hold in the store and in the engine, after every step and every round.

use std::collections::{BTreeMap, BTreeSet};

use trainyard_domain::ids::Uid;
use trainyard_domain::name::SubscriptionId;
use trainyard_domain::spec::Scale;
use trainyard_domain::state::{
    Cluster, ExecutionState, Job, Node, NodePhase, PlacedNode, Provisioning, Seen,
};
use trainyard_engine::Engine;
use trainyard_store::{Page, Snapshot, StoreError};

use crate::client::SUBSCRIPTION;
use crate::preempt;
use crate::world::{Before, MOST_NODES, World};
use crate::{Broken, Checked, rule};

/// What the store holds, at one moment.
pub(crate) struct Rows {
    nodes: Vec<Node>,
    pub(crate) jobs: Vec<Job>,
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

fn clusters(s: &Snapshot<'_>) -> Checked<Vec<Cluster>> {
    let mut clusters = Vec::new();
    for workspace in s.workspaces(&subscription()?, Page::ALL)? {
        clusters.extend(s.clusters(workspace.meta.uid, Page::ALL)?);
    }
    Ok(clusters)
}

fn subscription() -> Checked<SubscriptionId> {
    SubscriptionId::new(SUBSCRIPTION).map_err(|e| Broken::new(e.to_string()))
}

/// The nodes of a cluster, by its path below the provider.
pub(crate) fn nodes_at(s: &Snapshot<'_>, path: &str) -> Checked<Vec<Node>> {
    let found = clusters(s)?
        .into_iter()
        .find(|c| path == format!("workspaces/{}/clusters/{}", c.workspace, c.meta.name));
    let nodes = found.map(|cluster| s.nodes_of(cluster.meta.uid)).transpose()?;
    Ok(nodes.unwrap_or_default())
}

/// Everything that is stored.
pub(crate) fn rows(s: &Snapshot<'_>) -> Checked<Rows> {
    let mut jobs = Vec::new();
    for workspace in s.workspaces(&subscription()?, Page::ALL)? {
        for experiment in s.experiments(workspace.meta.uid, Page::ALL)? {
            jobs.extend(s.jobs(experiment.meta.uid, Page::ALL)?);
        }
    }
    Ok(Rows {
        nodes: s.nodes()?,
        jobs,
        clusters: clusters(s)?,
        counts: s.job_counts()?,
    })
}

fn nodes_of(job: &Job) -> &[PlacedNode] {
    let holds = job.status.holds_nodes();
    let placement = job.status.placement.as_ref().filter(|_| holds);
    placement.map_or(&[], |p| &p.nodes)
}

impl World {
    /// What must hold after every step.
    pub(crate) fn check(&mut self) -> Checked {
        let rows = self.store.read(rows)?;
        self.check_nodes(&rows)?;
        self.check_gpus(&rows)?;
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
        let names: BTreeSet<&String> = rows.nodes.iter().map(|n| &n.name).collect();
        rule!(
            names.len() == rows.nodes.len(),
            "two nodes have the same name: {names:?}"
        );
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

    /// No GPU is given to two nodes at once, and a node has as many as its size; where missing ones are ignored
    /// it may have none. That nodes do not share one in the engine either, the engine itself sees to.
    fn check_gpus(&self, rows: &Rows) -> Checked {
        let mut given = BTreeSet::new();
        for node in &rows.nodes {
            let has = node.status.gpus.len();
            for gpu in &node.status.gpus {
                rule!(
                    given.insert(gpu),
                    "{gpu} is given to two nodes, {} is one of them",
                    node.uid
                );
            }
            let cluster = rows.clusters.iter().find(|c| c.meta.uid == node.cluster);
            let size = cluster.and_then(|c| self.settings.vm_size(&c.spec.vm_size));
            let wanted = size.map_or(0, |size| size.gpus as usize);
            rule!(
                has == wanted || has == 0 && self.settings.ignore_missing_gpus,
                "node {} has {has} GPUs, and its size has {wanted}",
                node.uid
            );
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
            let seen = nodes_of(job).iter().filter(|n| n.is_open());
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
                pre_empted: preempt::stopping(&jobs),
            })
        })
    }

    /// What a round may not have done: nodes above the most, a job before one that had to come first.
    pub(crate) fn check_round(&self, before: &Before, full: bool) -> Checked {
        self.check_pre_empted(before)?;
        self.store.read(|s| {
            let nodes = s.nodes()?;
            let old: BTreeSet<Uid> = before.nodes.iter().copied().collect();
            let offered = self.engine.capacity(0).gpus;
            for node in nodes.iter().filter(|n| !old.contains(&n.uid)) {
                let gone = node.status.gpus.iter().find(|gpu| !offered.contains(gpu));
                rule!(
                    gone.is_none(),
                    "node {} was given {gone:?}, which the machine does not offer",
                    node.uid
                );
            }
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
                for port in std::iter::once(&placement.port).chain(&placement.task_ports) {
                    rule!(*port == 0 || ports.insert(*port), "port {port} is given twice");
                }
            }
            for cluster in &clusters(s)? {
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
}
