//! What only the flat api-versions (2017-09-01-preview, 2018-03-01) can say of a resource. It is kept, so that
//! they show again what they were told (api.md section 5). Only `createNew: false` is acted on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::spec::{ClusterSpec, JobSpec, MountVolumes};

/// What only they can say of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlatCluster {
    /// Tags of the cluster itself.
    pub tags: BTreeMap<String, String>,
    /// Whether the setup task is to run as root.
    pub run_elevated: bool,
}

/// What only they can say of a file server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlatFileServer {
    /// Tags of the file server itself.
    pub tags: BTreeMap<String, String>,
}

/// What only they can say of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlatJob {
    /// Tags of the job itself.
    pub tags: BTreeMap<String, String>,
    /// `experimentName`: a label, not the experiment that the job is in.
    pub experiment_name: Option<String>,
    /// Of the output directories that are not as usual, by id.
    pub outputs: BTreeMap<String, FlatOutput>,
}

/// What only they can say of an output directory; the default is what is usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlatOutput {
    /// What is written there: `model`, `logs`, `summary`, `custom` or a word of later days.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether the directory is made for this job alone; otherwise the path is taken as given.
    pub create_new: bool,
}

impl Default for FlatOutput {
    fn default() -> FlatOutput {
        FlatOutput {
            kind: "custom".to_owned(),
            create_new: true,
        }
    }
}

/// Whether there is nothing to keep.
pub(super) fn is_nothing<T: Default + PartialEq>(flat: &T) -> bool {
    *flat == T::default()
}

impl MountVolumes {
    /// Writes each id of a file server as `other` writes it, where both mean the same one.
    fn take_ids(&mut self, other: &MountVolumes) {
        for (own, other) in self.file_servers.iter_mut().zip(&other.file_servers) {
            own.file_server.take_spelling(&other.file_server);
        }
    }
}

fn take_ids(own: &mut Option<MountVolumes>, other: Option<&MountVolumes>) {
    if let (Some(own), Some(other)) = (own, other) {
        own.take_ids(other);
    }
}

impl JobSpec {
    /// This wish with ids written as in `other`, where both mean the same: a flat id may mean what a longer one does.
    pub fn with_ids_of(mut self, other: &JobSpec) -> JobSpec {
        self.cluster.take_spelling(&other.cluster);
        take_ids(&mut self.mount_volumes, other.mount_volumes.as_ref());
        self
    }
}

impl ClusterSpec {
    /// As [`JobSpec::with_ids_of`].
    pub fn with_ids_of(mut self, other: &ClusterSpec) -> ClusterSpec {
        if let (Some(own), Some(other)) = (&mut self.node_setup, &other.node_setup) {
            take_ids(&mut own.mount_volumes, other.mount_volumes.as_ref());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored;

    #[test]
    fn a_job_stored_before_there_were_flat_versions_is_read() {
        let old = r#"{"v": 1, "is": {
            "priority": 0, "cluster": "/c", "mountVolumes": null, "nodeCount": 1, "containerSettings": null,
            "toolkit": {"custom": null}, "jobPreparation": null, "stdOutErrPathPrefix": "/p", "inputDirectories": [],
            "outputDirectories": [], "environmentVariables": [], "secrets": [], "maxWallClockSeconds": 1}}"#;
        let mut job: JobSpec = stored::read(old).unwrap();
        assert_eq!(job.flat, FlatJob::default());
        assert!(!stored::write(&job).unwrap().contains("flat"));
        job.flat.tags.insert("a".to_owned(), "b".to_owned());
        assert_eq!(
            stored::read::<JobSpec>(&stored::write(&job).unwrap()).unwrap(),
            job
        );
    }
}
