//! The api-version 2018-03-01: flat, and otherwise as [`crate::v2018_05_01`] but for what stands here
//! (api.md section 5).

mod cluster;
mod file_server;
mod files;
mod job;

pub(crate) use cluster::create as read_cluster;
pub use cluster::{cluster, cluster_create, cluster_update};
pub(crate) use file_server::create as read_file_server;
pub use file_server::{file_server, file_server_create};
pub use files::files;
pub(crate) use job::{UNKNOWN as JOB_UNKNOWN, create as read_job};
pub use job::{job, job_create};
