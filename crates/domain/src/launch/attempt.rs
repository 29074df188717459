//! An attempt of a job: all that its launch plans are made of.

use crate::ids::{PlacementId, Uid};
use crate::name::Name;
use crate::spec::JobSpec;
use crate::state::{OutputLayout, PlacedNode, Share};

use super::behind::Behind;
use super::plan::NodePaths;

/// One attempt of a job on its nodes: all that its plans are made of.
pub struct JobLaunch<'a> {
    /// Which attempt of which job.
    pub placement: PlacementId,
    /// What is asked for, with its secrets filled in.
    pub spec: &'a JobSpec,
    /// The workspace of the job.
    pub workspace: &'a Name,
    /// Its experiment.
    pub experiment: &'a Name,
    /// Its name.
    pub job: &'a Name,
    /// `jobOutputDirectoryPathSegment`.
    pub output_segment: &'a str,
    /// How the files lie beneath it.
    pub layout: OutputLayout,
    /// The nodes, the master first.
    pub nodes: &'a [PlacedNode],
    /// A port that is free on all of them, where the processes of the job meet; 0 if they need none.
    pub port: u16,
    /// More of them, one for each task that others connect to (see [`super::ports_of`]).
    pub task_ports: &'a [u16],
    /// Where things are on a node.
    pub paths: &'a dyn Fn(Uid) -> NodePaths,
    /// What is behind a share.
    pub shares: &'a dyn Fn(&Share) -> Behind,
    /// The real directory of an entry of `fileServers`.
    pub file_servers: &'a dyn Fn(usize) -> String,
    /// How many GPUs a node has.
    pub gpus: &'a dyn Fn(Uid) -> u32,
    /// Seconds between SIGTERM and SIGKILL when it is stopped.
    pub grace_seconds: u32,
}

impl JobLaunch<'_> {
    /// Address of the first node.
    pub(super) fn master(&self) -> String {
        self.nodes
            .first()
            .map(|node| node.address.to_string())
            .unwrap_or_default()
    }
}
