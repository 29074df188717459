//! The wish of a cluster.

use serde::{Deserialize, Serialize};

use crate::resource_id::ResourceId;
use crate::secret::Secret;
use crate::spec::flat::is_nothing;
use crate::spec::{
    EnvironmentVariable, FlatCluster, MountVolumes, SecretSource, SecretVariable, Secrets, visit_variables,
};

/// What a user asks of a cluster (api.md, ClusterBaseProperties).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSpec {
    /// VM size of every node, as given.
    pub vm_size: String,
    /// Dedicated, or may be pre-empted.
    pub vm_priority: VmPriority,
    /// How many nodes.
    pub scale: Scale,
    /// Image of the nodes.
    pub image: ImageReference,
    /// Mounts, setup task, counters.
    pub node_setup: Option<NodeSetup>,
    /// Admin account on every node.
    pub user_account_settings: UserAccountSettings,
    /// Subnet to join.
    pub subnet: Option<ResourceId>,
    /// What only the flat api-versions can say.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub flat: FlatCluster,
}

/// Kind of nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VmPriority {
    /// Kept until released; the default.
    #[default]
    Dedicated,
    /// May be taken away.
    LowPriority,
}

/// How many nodes a cluster wants: by hand or by load, exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scale {
    /// A fixed target.
    #[serde(rename_all = "camelCase")]
    Manual {
        /// Wanted nodes, 0 to 100.
        target_node_count: u32,
        /// What becomes of jobs on nodes that are taken away.
        node_deallocation_option: DeallocationOption,
    },
    /// Bounds; the wanted number is what running and queued jobs need, held within them.
    #[serde(rename_all = "camelCase")]
    Auto {
        /// Lower bound.
        minimum_node_count: u32,
        /// Upper bound, at most 100.
        maximum_node_count: u32,
        /// Nodes at creation only.
        initial_node_count: u32,
    },
}

impl Scale {
    /// The most nodes that the cluster can have without another PATCH.
    pub fn most(&self) -> u32 {
        match self {
            Scale::Manual {
                target_node_count, ..
            } => *target_node_count,
            Scale::Auto {
                maximum_node_count, ..
            } => *maximum_node_count,
        }
    }

    /// Nodes wanted right after creation.
    pub fn initial(&self) -> u32 {
        match self {
            Scale::Manual {
                target_node_count, ..
            } => *target_node_count,
            Scale::Auto {
                minimum_node_count,
                maximum_node_count,
                initial_node_count,
            } => (*initial_node_count)
                .max(*minimum_node_count)
                .min(*maximum_node_count),
        }
    }

    /// What becomes of jobs on nodes that leave. Auto-scale only ever releases idle nodes.
    pub fn deallocation(&self) -> DeallocationOption {
        match self {
            Scale::Manual {
                node_deallocation_option,
                ..
            } => *node_deallocation_option,
            Scale::Auto { .. } => DeallocationOption::WaitForJobCompletion,
        }
    }
}

/// What becomes of running jobs when a cluster is scaled down (behaviour.md section 2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeallocationOption {
    /// Stopped and queued again; the default.
    #[default]
    Requeue,
    /// Stopped for good.
    Terminate,
    /// Waited for.
    WaitForJobCompletion,
}

/// An image of the market place, or a custom one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReference {
    /// Publisher.
    pub publisher: String,
    /// Offer.
    pub offer: String,
    /// SKU.
    pub sku: String,
    /// Version; `latest` when not given.
    pub version: String,
    /// Id of a custom image.
    pub virtual_machine_image_id: Option<ResourceId>,
}

impl Default for ImageReference {
    /// The image that the service fills in (api.md, ClusterBaseProperties).
    fn default() -> ImageReference {
        ImageReference {
            publisher: "Canonical".to_owned(),
            offer: "UbuntuServer".to_owned(),
            sku: "16.04-LTS".to_owned(),
            version: "latest".to_owned(),
            virtual_machine_image_id: None,
        }
    }
}

/// The admin account of nodes; a password or a key, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserAccountSettings {
    /// Login name.
    pub admin_user_name: String,
    /// SSH public key.
    pub admin_user_ssh_public_key: Option<String>,
    /// Password.
    pub admin_user_password: Option<Secret>,
}

impl UserAccountSettings {
    pub(super) fn visit_secrets(&mut self, at: &str, visit: &mut dyn FnMut(String, &mut Secret)) {
        if let Some(password) = &mut self.admin_user_password {
            visit(format!("{at}.adminUserPassword"), password);
        }
    }
}

/// What is done on each node before it takes jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSetup {
    /// A command of the user's.
    pub setup_task: Option<SetupTask>,
    /// Volumes beneath `$AZ_BATCHAI_MOUNT_ROOT`.
    pub mount_volumes: Option<MountVolumes>,
    /// Counter upload.
    pub performance_counters_settings: Option<PerformanceCountersSettings>,
}

/// A command that runs on each node after the mounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupTask {
    /// Run by bash.
    pub command_line: String,
    /// Plain variables.
    pub environment_variables: Vec<EnvironmentVariable>,
    /// Secret variables.
    pub secrets: Vec<SecretVariable>,
    /// Where its output files go.
    pub std_out_err_path_prefix: String,
}

/// Where node counters go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceCountersSettings {
    /// Id of the Application Insights component.
    pub component: ResourceId,
    /// Its key.
    pub instrumentation_key: SecretSource,
}

impl Secrets for ClusterSpec {
    fn secrets(&mut self, visit: &mut dyn FnMut(String, &mut Secret)) {
        self.user_account_settings
            .visit_secrets("userAccountSettings", visit);
        let Some(setup) = &mut self.node_setup else { return };
        if let Some(task) = &mut setup.setup_task {
            visit_variables(&mut task.secrets, "nodeSetup.setupTask.secrets", visit);
        }
        if let Some(mounts) = &mut setup.mount_volumes {
            mounts.visit_secrets("nodeSetup.mountVolumes", visit);
        }
        if let Some(counters) = &mut setup.performance_counters_settings {
            counters.instrumentation_key.visit(
                || "nodeSetup.performanceCountersSettings.appInsightsReference.instrumentationKey".to_owned(),
                visit,
            );
        }
    }
}
