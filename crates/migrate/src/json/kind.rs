//! What a JSON file is, by its members alone.

use super::read::Value;

/// What Batch AI reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A body of job create.
    Job,
    /// A body of cluster create.
    Cluster,
    /// A body of file server create.
    FileServer,
}

/// Settings of toolkits: only jobs have them.
const TOOLKITS: [&str; 10] = [
    "cntkSettings",
    "pyTorchSettings",
    "tensorFlowSettings",
    "caffeSettings",
    "caffe2Settings",
    "chainerSettings",
    "customToolkitSettings",
    "customMpiSettings",
    "horovodSettings",
    "jobPreparation",
];

impl Kind {
    /// As a person would name the file.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Job => "job file",
            Kind::Cluster => "cluster file",
            Kind::FileServer => "file server file",
        }
    }

    /// The kind of a resource's type: `Microsoft.BatchAI/clusters`.
    pub fn of_type(text: &str) -> Option<Kind> {
        match text.to_ascii_lowercase().as_str() {
            "microsoft.batchai/jobs" => Some(Kind::Job),
            "microsoft.batchai/clusters" => Some(Kind::Cluster),
            "microsoft.batchai/fileservers" => Some(Kind::FileServer),
            _ => None,
        }
    }

    /// The type of 2018-05-01.
    pub fn new_type(self) -> &'static str {
        match self {
            Kind::Job => "Microsoft.BatchAI/workspaces/experiments/jobs",
            Kind::Cluster => "Microsoft.BatchAI/workspaces/clusters",
            Kind::FileServer => "Microsoft.BatchAI/workspaces/fileServers",
        }
    }
}

/// The kind of a file that is a body of a create call.
pub fn kind(root: &Value) -> Option<Kind> {
    by_schema(root).or_else(|| by_members(root.get("properties")?))
}

fn by_schema(root: &Value) -> Option<Kind> {
    let schema = root.get("$schema")?.text()?.to_ascii_lowercase();
    if !schema.contains("batchai/") {
        return None;
    }
    let file = schema.rsplit('/').next().unwrap_or_default();
    match file {
        "job.json" => Some(Kind::Job),
        "cluster.json" => Some(Kind::Cluster),
        "nfs.json" | "fileserver.json" | "file-server.json" => Some(Kind::FileServer),
        _ => None,
    }
}

fn by_members(properties: &Value) -> Option<Kind> {
    let has = |name: &str| properties.get(name).is_some();
    let toolkit = TOOLKITS.iter().any(|name| has(name));
    let job = (has("nodeCount") && (toolkit || has("stdOutErrPathPrefix")))
        || (toolkit && has("stdOutErrPathPrefix"));
    if job {
        return Some(Kind::Job);
    }
    if !has("vmSize") {
        return None;
    }
    let disks = properties.get("dataDisks");
    if disks.is_some_and(|disks| disks.get("diskCount").is_some() || disks.get("diskSizeInGB").is_some()) {
        return Some(Kind::FileServer);
    }
    ["userAccountSettings", "nodeSetup", "vmPriority", "scaleSettings"]
        .iter()
        .any(|name| has(name))
        .then_some(Kind::Cluster)
}
