//! What the client knows: everything it was answered, and what must follow from that.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fate::Fate;

/// What the client knows.
#[derive(Default)]
pub struct Model {
    /// Resources by path below the provider, such as `workspaces/w0/clusters/c1`.
    pub resources: BTreeMap<String, Resource>,
    /// Operations it was told to follow.
    pub operations: Vec<Operation>,
    /// How many resources were made.
    pub births: u64,
}

/// A resource that was once acknowledged.
pub struct Resource {
    /// What is known of its life.
    pub life: Life,
    /// Tells it from others that had its name before.
    pub birth: u64,
    /// The body of its PUT.
    pub body: Value,
    /// Its ETag as last acknowledged.
    pub etag: Option<String>,
    /// What goes with its kind.
    pub kind: Kind,
}

/// What is known of a resource's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Its PUT was acknowledged: it is there.
    Standing,
    /// Its deletion, or that of a parent, was acknowledged: it may still be there.
    Deleting,
    /// It was seen to be gone.
    Gone,
}

/// Kinds of resources.
pub enum Kind {
    /// A workspace.
    Workspace,
    /// An experiment.
    Experiment,
    /// A cluster.
    Cluster(Cluster),
    /// A job.
    Job(Job),
}

/// What is known of a cluster.
pub struct Cluster {
    /// Its scale settings as last acknowledged.
    pub scale: Value,
    /// It may have ended jobs when it was scaled down.
    pub terminates: bool,
    /// It may have put jobs back into the line when it was scaled down.
    pub requeues: bool,
}

/// What is known of a job.
pub struct Job {
    /// What was decided for it.
    pub fate: Fate,
    /// How many nodes it needs.
    pub nodes: u32,
    /// Its cluster's path.
    pub cluster: String,
    /// Whether it may be ended for running too long.
    pub limited: bool,
    /// It needs a share that breaks now and then.
    pub share: bool,
    /// It may have been terminated: by name, or with its cluster.
    pub stop_asked: bool,
    /// State and execution info, once it was seen to be over.
    pub last: Option<Value>,
}

/// A long-running operation.
pub struct Operation {
    /// Its `Azure-AsyncOperation`.
    pub result: String,
    /// Its `Location`.
    pub status: String,
    /// When it was first heard of, in milliseconds since the begin.
    pub since: i64,
    /// What it waits for.
    pub goal: Goal,
    /// The birth of what it is about.
    pub birth: Option<u64>,
    /// Its answer, once it was over.
    pub answer: Option<String>,
}

/// What an operation waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// This path is gone.
    Deleted(String),
    /// This job is over.
    Ended(String),
}

impl Goal {
    /// The path it is about.
    pub fn path(&self) -> &str {
        match self {
            Goal::Deleted(path) | Goal::Ended(path) => path,
        }
    }
}

impl Model {
    /// The life of a resource; one that was never heard of is gone.
    pub fn life(&self, path: &str) -> Life {
        self.resources.get(path).map_or(Life::Gone, |r| r.life)
    }

    /// What tells a resource from others that had its name before.
    pub fn birth(&self, path: &str) -> Option<u64> {
        self.resources.get(path).map(|r| r.birth)
    }

    /// Whether a path and all above it stand.
    pub fn stands(&self, path: &str) -> bool {
        ancestors(path).all(|above| self.life(above) == Life::Standing) && self.life(path) == Life::Standing
    }

    /// Whether all above a path stands.
    pub fn has_parents(&self, path: &str) -> bool {
        ancestors(path).all(|above| self.life(above) == Life::Standing)
    }

    /// Paths of one kind, by what comes before their name, such as `clusters`.
    pub fn paths(&self, kind: &str) -> Vec<String> {
        let paths = self.resources.keys();
        paths.filter(|path| kind_of(path) == kind).cloned().collect()
    }

    /// Paths of resources that are known to live so.
    pub fn paths_in(&self, life: Life) -> Vec<String> {
        let all = self.resources.iter().filter(|(_, r)| r.life == life);
        all.map(|(path, _)| path.clone()).collect()
    }

    /// A deletion was asked for: what stands at the path or below may go from now on, and jobs end with
    /// their cluster.
    pub fn deletion_asked(&mut self, path: &str) {
        for (key, resource) in &mut self.resources {
            if let Kind::Job(job) = &mut resource.kind {
                job.stop_asked |= is_at_or_below(&job.cluster, path) || is_at_or_below(key, path);
            }
        }
    }

    /// A deletion was acknowledged.
    pub fn deleting(&mut self, path: &str) {
        for (key, resource) in &mut self.resources {
            if is_at_or_below(key, path) && resource.life == Life::Standing {
                resource.life = Life::Deleting;
            }
        }
    }

    /// A path was seen to be gone, and so all below it.
    pub fn gone(&mut self, path: &str) {
        for (key, resource) in &mut self.resources {
            if is_at_or_below(key, path) {
                resource.life = Life::Gone;
            }
        }
    }

    /// What is known of a cluster.
    pub fn cluster(&self, path: &str) -> Option<&Cluster> {
        match &self.resources.get(path)?.kind {
            Kind::Cluster(cluster) => Some(cluster),
            Kind::Workspace | Kind::Experiment | Kind::Job(_) => None,
        }
    }

    /// What is known of a job.
    pub fn job(&self, path: &str) -> Option<&Job> {
        match &self.resources.get(path)?.kind {
            Kind::Job(job) => Some(job),
            Kind::Workspace | Kind::Experiment | Kind::Cluster(_) => None,
        }
    }
}

/// What comes before the name in a path.
pub fn kind_of(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or("")
}

/// The paths above a path, the nearest last.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).enumerate();
    ends.filter(|(i, _)| i % 2 == 1).map(|(_, end)| &path[..end])
}

fn is_at_or_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
