//! What the commands read of the service's answers; everything else in them is passed over.

use serde::Deserialize;

/// A job's execution state (behaviour.md section 4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for nodes.
    Queued,
    /// Runs.
    Running,
    /// Is being stopped.
    Terminating,
    /// Ended well.
    Succeeded,
    /// Ended otherwise.
    Failed,
    /// A word this client does not know.
    #[serde(untagged)]
    Other(String),
}

impl State {
    /// Whether nothing more will happen to the job.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Succeeded | Self::Failed => true,
            Self::Queued | Self::Running | Self::Terminating | Self::Other(_) => false,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Terminating => "terminating",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Other(word) => word,
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// ARM id.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// Exit code of the command, once there is one.
    pub exit_code: Option<i32>,
    /// Why it failed.
    pub errors: Vec<JobError>,
}

/// One reason of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobError {
    /// Code (errors.md).
    pub code: String,
    /// Text.
    #[serde(default)]
    pub message: String,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// ARM id.
    pub id: String,
    /// Manual target, if it is scaled by hand.
    pub target: Option<u32>,
    /// `steady` or `resizing`.
    pub allocation: String,
    /// Nodes there are.
    pub nodes: u32,
    /// Nodes by state.
    pub counts: NodeCounts,
    /// What went wrong with nodes.
    pub errors: Vec<JobError>,
}

/// Nodes by state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeCounts {
    /// Ready and free.
    #[serde(rename = "idleNodeCount")]
    pub idle: u32,
    /// Run a job.
    #[serde(rename = "runningNodeCount")]
    pub running: u32,
    /// Mount volumes or run the setup task.
    #[serde(rename = "preparingNodeCount")]
    pub preparing: u32,
    /// Could not be prepared.
    #[serde(rename = "unusableNodeCount")]
    pub unusable: u32,
    /// Go away.
    #[serde(rename = "leavingNodeCount")]
    pub leaving: u32,
}

/// A file or directory in an output directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputFile {
    /// Its name.
    pub name: String,
    /// `file` or `directory`.
    pub file_type: String,
    /// Signed link; a directory has none.
    pub download_url: Option<String>,
}

/// A page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    pub value: Vec<T>,
    pub next_link: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Subscription {
    #[serde(rename = "subscriptionId")]
    pub id: String,
}

#[derive(Deserialize)]
pub(crate) struct Envelope<T> {
    id: String,
    properties: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobProperties {
    execution_state: State,
    #[serde(default)]
    execution_info: ExecutionInfo,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ExecutionInfo {
    exit_code: Option<i32>,
    errors: Vec<JobError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterProperties {
    #[serde(default)]
    scale_settings: ScaleSettings,
    #[serde(default)]
    allocation_state: String,
    #[serde(default)]
    current_node_count: u32,
    #[serde(default)]
    node_state_counts: NodeCounts,
    #[serde(default)]
    errors: Vec<JobError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ScaleSettings {
    manual: Option<ManualScale>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManualScale {
    target_node_count: u32,
}

impl From<Envelope<JobProperties>> for Job {
    fn from(body: Envelope<JobProperties>) -> Self {
        let JobProperties {
            execution_state,
            execution_info,
        } = body.properties;
        Self {
            id: body.id,
            state: execution_state,
            exit_code: execution_info.exit_code,
            errors: execution_info.errors,
        }
    }
}

impl From<Envelope<ClusterProperties>> for Cluster {
    fn from(body: Envelope<ClusterProperties>) -> Self {
        let properties = body.properties;
        Self {
            id: body.id,
            target: properties
                .scale_settings
                .manual
                .map(|manual| manual.target_node_count),
            allocation: properties.allocation_state,
            nodes: properties.current_node_count,
            counts: properties.node_state_counts,
            errors: properties.errors,
        }
    }
}
