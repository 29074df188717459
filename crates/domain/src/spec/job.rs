//! The wish of a job.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::resource_id::ResourceId;
use crate::secret::Secret;
use crate::spec::flat::is_nothing;
use crate::spec::{
    EnvironmentVariable, FlatJob, MountVolumes, SecretSource, SecretVariable, Secrets, Toolkit,
    visit_variables,
};

/// What a user asks of a job (api.md, JobBaseProperties).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    /// Place in the line: larger first.
    pub priority: Priority,
    /// The cluster, in any workspace or group of the subscription.
    pub cluster: ResourceId,
    /// Volumes beneath `$AZ_BATCHAI_JOB_MOUNT_ROOT`, for the time of the job.
    pub mount_volumes: Option<MountVolumes>,
    /// Nodes, all or nothing; at least 1.
    pub node_count: u32,
    /// A container to run in.
    pub container_settings: Option<ContainerSettings>,
    /// What to run.
    pub toolkit: Toolkit,
    /// A command to run on every node first.
    pub job_preparation: Option<String>,
    /// Where stdout, stderr and execution log go.
    pub std_out_err_path_prefix: String,
    /// Named input paths.
    pub input_directories: Vec<InputDirectory>,
    /// Named output paths.
    pub output_directories: Vec<OutputDirectory>,
    /// Plain variables for preparation and job.
    pub environment_variables: Vec<EnvironmentVariable>,
    /// Secret variables for preparation and job.
    pub secrets: Vec<SecretVariable>,
    /// Longest run, in seconds: 1 to 7 days.
    pub max_wall_clock_seconds: i64,
    /// What only the flat api-versions can say.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub flat: FlatJob,
}

/// A job's priority, -1000 to 1000. The classes low, normal and high of 2018-05-01 are -1000, 0 and 1000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priority(pub i32);

impl Priority {
    /// The class low.
    pub const LOW: Priority = Priority(limits::PRIORITY.0);
    /// The class normal, the default.
    pub const NORMAL: Priority = Priority(0);
    /// The class high.
    pub const HIGH: Priority = Priority(limits::PRIORITY.1);

    /// The class in which 2018-05-01 shows the number (behaviour.md section 14).
    pub fn class(self) -> &'static str {
        match self.0 {
            ..=-1 => "low",
            0 => "normal",
            1.. => "high",
        }
    }
}

/// A container to run a job in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSettings {
    /// The registry; the public default when not given.
    pub server_url: Option<String>,
    /// The image.
    pub image: String,
    /// Login for the registry.
    pub credentials: Option<PrivateRegistryCredentials>,
    /// Size of /dev/shm, such as `16gb`.
    pub shm_size: Option<String>,
}

/// Login for a private registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrivateRegistryCredentials {
    /// Login name.
    pub username: String,
    /// Password.
    pub password: SecretSource,
}

/// A named input path, exported as `AZ_BATCHAI_INPUT_{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InputDirectory {
    /// Its name.
    pub id: String,
    /// The path; may use `$AZ_BATCHAI_…` variables.
    pub path: String,
}

/// A named output path, exported as `AZ_BATCHAI_OUTPUT_{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputDirectory {
    /// Its name.
    pub id: String,
    /// Beneath what; may use `$AZ_BATCHAI_MOUNT_ROOT` or `$AZ_BATCHAI_JOB_MOUNT_ROOT`.
    pub path_prefix: String,
    /// Last part of the path.
    pub path_suffix: Option<String>,
}

impl Secrets for JobSpec {
    fn secrets(&mut self, visit: &mut dyn FnMut(String, &mut Secret)) {
        visit_variables(&mut self.secrets, "secrets", visit);
        if let Some(mounts) = &mut self.mount_volumes {
            mounts.visit_secrets("mountVolumes", visit);
        }
        if let Some(container) = &mut self.container_settings
            && let Some(credentials) = &mut container.credentials
        {
            credentials.password.visit(
                || "containerSettings.imageSourceRegistry.credentials.password".to_owned(),
                visit,
            );
        }
    }
}
