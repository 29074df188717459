//! A small client of the service, for the commands of this binary.
//!
//! It speaks plain HTTP/1 over TCP or a Unix socket, keeps connections, bounds every answer in time and size,
//! and turns every refusal of the service into a [`ClientError::Service`].

mod client;
mod connection;
mod endpoint;
mod error;
mod imports;
mod model;
mod operation;
mod resources;

pub use client::{Answer, Client, Limits};
pub use endpoint::Endpoint;
pub use error::ClientError;
pub use model::{Cluster, Job, JobError, NodeCounts, OutputFile, State};
pub use resources::{ClusterPath, ExperimentPath, JobPath, WorkspacePath};
