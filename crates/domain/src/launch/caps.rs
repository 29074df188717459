//! How much an attempt may write.

use serde::{Deserialize, Serialize};

/// How much an attempt may write on each of its nodes, in bytes; 0 is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Caps {
    /// Most in one file of stdout or stderr; a job with more is ended.
    pub stdout: u64,
    /// Most in the execution log, which then says so and stays silent.
    pub execution_log: u64,
    /// Most in the job directory; a job with more is ended.
    pub job_temp: u64,
    /// The node's disk keeps so much free: with less, the job that grew most is ended.
    pub disk_floor: u64,
}
