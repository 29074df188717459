//! The models of the older SDKs: the order of their arguments in 0.2.0, what is gone and what was renamed
//! (cli-dialects.md sections 2.2 and 2.3; orders read from the package).

use tree_sitter::Node;

use super::module::{Module, function_of};

/// Orders of 0.2.0. What took no positional arguments of use is not here.
const ORDERS: &[(&str, &[&str])] = &[
    (
        "AutoScaleSettings",
        &["minimum_node_count", "maximum_node_count", "initial_node_count"],
    ),
    (
        "AzureBlobFileSystemReference",
        &[
            "account_name",
            "container_name",
            "credentials",
            "relative_mount_path",
            "mount_options",
        ],
    ),
    (
        "AzureFileShareReference",
        &[
            "account_name",
            "azure_file_url",
            "credentials",
            "relative_mount_path",
            "file_mode",
            "directory_mode",
        ],
    ),
    (
        "AzureStorageCredentialsInfo",
        &["account_key", "account_key_secret_reference"],
    ),
    (
        "Caffe2Settings",
        &[
            "python_script_file_path",
            "python_interpreter_path",
            "command_line_args",
        ],
    ),
    (
        "CaffeSettings",
        &[
            "config_file_path",
            "python_script_file_path",
            "python_interpreter_path",
            "command_line_args",
            "process_count",
        ],
    ),
    (
        "ChainerSettings",
        &[
            "python_script_file_path",
            "python_interpreter_path",
            "command_line_args",
            "process_count",
        ],
    ),
    (
        "ClusterCreateParameters",
        &[
            "location",
            "vm_size",
            "user_account_settings",
            "tags",
            "vm_priority",
            "scale_settings",
            "virtual_machine_configuration",
            "node_setup",
            "subnet",
        ],
    ),
    ("ClusterUpdateParameters", &["tags", "scale_settings"]),
    (
        "ClustersListByResourceGroupOptions",
        &["filter", "select", "max_results"],
    ),
    ("ClustersListOptions", &["filter", "select", "max_results"]),
    (
        "CNTKsettings",
        &[
            "language_type",
            "config_file_path",
            "python_script_file_path",
            "python_interpreter_path",
            "command_line_args",
            "process_count",
        ],
    ),
    ("ContainerSettings", &["image_source_registry"]),
    ("CustomToolkitSettings", &["command_line"]),
    (
        "DataDisks",
        &["disk_size_in_gb", "disk_count", "storage_account_type"],
    ),
    ("EnvironmentSetting", &["name", "value"]),
    (
        "FileServerCreateParameters",
        &[
            "location",
            "vm_size",
            "ssh_configuration",
            "data_disks",
            "tags",
            "subnet",
        ],
    ),
    (
        "FileServerReference",
        &[
            "file_server",
            "relative_mount_path",
            "source_directory",
            "mount_options",
        ],
    ),
    (
        "FileServersListByResourceGroupOptions",
        &["filter", "select", "max_results"],
    ),
    ("FileServersListOptions", &["filter", "select", "max_results"]),
    ("ImageReference", &["publisher", "offer", "sku", "version"]),
    ("ImageSourceRegistry", &["image", "server_url", "credentials"]),
    ("InputDirectory", &["id", "path"]),
    ("JobBasePropertiesConstraints", &["max_wall_clock_time"]),
    (
        "JobCreateParameters",
        &[
            "location",
            "cluster",
            "node_count",
            "std_out_err_path_prefix",
            "tags",
            "experiment_name",
            "priority",
            "container_settings",
            "cntk_settings",
            "tensor_flow_settings",
            "caffe_settings",
            "caffe2_settings",
            "chainer_settings",
            "custom_toolkit_settings",
            "job_preparation",
            "input_directories",
            "output_directories",
            "environment_variables",
            "constraints",
        ],
    ),
    ("JobPreparation", &["command_line"]),
    (
        "JobsListByResourceGroupOptions",
        &["filter", "select", "max_results"],
    ),
    ("JobsListOptions", &["filter", "select", "max_results"]),
    (
        "JobsListOutputFilesOptions",
        &["outputdirectoryid", "linkexpiryinminutes", "max_results"],
    ),
    ("KeyVaultKeyReference", &["source_vault", "key_url"]),
    ("KeyVaultSecretReference", &["source_vault", "secret_url"]),
    ("LocalDataVolume", &["host_path", "local_path"]),
    (
        "ManualScaleSettings",
        &["target_node_count", "node_deallocation_option"],
    ),
    (
        "MountVolumes",
        &[
            "azure_file_shares",
            "azure_blob_file_systems",
            "file_servers",
            "unmanaged_file_systems",
        ],
    ),
    (
        "MountSettings",
        &[
            "mount_point",
            "file_server_public_ip",
            "file_server_internal_ip",
            "file_server_type",
        ],
    ),
    ("NameValuePair", &["name", "value"]),
    ("NodeSetup", &["setup_task", "mount_volumes"]),
    (
        "OutputDirectory",
        &["id", "path_prefix", "path_suffix", "type", "create_new"],
    ),
    (
        "PrivateRegistryCredentials",
        &["username", "password", "password_secret_reference"],
    ),
    ("ResourceId", &["id"]),
    ("ScaleSettings", &["manual", "auto_scale"]),
    (
        "SetupTask",
        &[
            "command_line",
            "std_out_err_path_prefix",
            "environment_variables",
            "run_elevated",
        ],
    ),
    (
        "SshConfiguration",
        &["user_account_settings", "public_ips_to_allow"],
    ),
    (
        "TensorFlowSettings",
        &[
            "python_script_file_path",
            "master_command_line_args",
            "python_interpreter_path",
            "worker_command_line_args",
            "parameter_server_command_line_args",
            "worker_count",
            "parameter_server_count",
        ],
    ),
    (
        "UnmanagedFileSystemReference",
        &["mount_command", "relative_mount_path"],
    ),
    (
        "UserAccountSettings",
        &[
            "admin_user_name",
            "admin_user_ssh_public_key",
            "admin_user_password",
        ],
    ),
    ("VirtualMachineConfiguration", &["image_reference"]),
];

/// Classes of the same meaning under another name.
const RENAMED: &[(&str, &str)] = &[
    ("EnvironmentSetting", "EnvironmentVariable"),
    (
        "ClustersListByResourceGroupOptions",
        "ClustersListByWorkspaceOptions",
    ),
    ("ClustersListOptions", "ClustersListByWorkspaceOptions"),
    (
        "FileServersListByResourceGroupOptions",
        "FileServersListByWorkspaceOptions",
    ),
    ("FileServersListOptions", "FileServersListByWorkspaceOptions"),
    ("JobsListByResourceGroupOptions", "JobsListByExperimentOptions"),
    ("JobsListOptions", "JobsListByExperimentOptions"),
];

/// Modules of `azure.mgmt.batchai.models` that went with their class.
const MODULES: &[(&str, &str)] = &[
    ("environment_setting", "environment_variable"),
    (
        "clusters_list_by_resource_group_options",
        "clusters_list_by_workspace_options",
    ),
    ("clusters_list_options", "clusters_list_by_workspace_options"),
    (
        "file_servers_list_by_resource_group_options",
        "file_servers_list_by_workspace_options",
    ),
    (
        "file_servers_list_options",
        "file_servers_list_by_workspace_options",
    ),
    (
        "jobs_list_by_resource_group_options",
        "jobs_list_by_experiment_options",
    ),
    ("jobs_list_options", "jobs_list_by_experiment_options"),
];

/// Classes without a successor.
pub const GONE: [&str; 2] = ["LocalDataVolume", "KeyVaultKeyReference"];
/// Enums without a successor; their values were used in arguments that are gone.
pub const GONE_ENUMS: [&str; 2] = ["OutputType", "FileServerType"];

/// A constructor call of a model.
#[derive(Debug, Clone, Copy)]
pub struct Constructed<'t> {
    /// The class, as the tables have it.
    pub class: &'static str,
    /// The arguments of 0.2.0 in their order.
    pub order: &'static [&'static str],
    /// The call.
    pub call: Node<'t>,
}

/// The model that `call` makes.
pub fn constructed<'t>(module: &Module<'t>, call: Node<'t>) -> Option<Constructed<'t>> {
    let function = function_of(call)?;
    let name = class_name(module, function)?;
    let (class, order) = ORDERS.iter().find(|(class, _)| *class == name)?;
    Some(Constructed { class, order, call })
}

/// The class of Batch AI that `node` names, if it names one.
pub fn class_name<'t>(module: &Module<'t>, node: Node<'t>) -> Option<String> {
    let path = module.path(node)?;
    let (before, class) = path.rsplit_once('.').unwrap_or(("", &path));
    if !class.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let ours = if before.is_empty() {
        module.star_models && !module.made_here.contains(class)
    } else if before.starts_with("azure.mgmt.batchai") {
        true
    } else if before.starts_with("azure.") {
        false
    } else {
        // `models` of a client, or of an import that a helper made.
        before
            .split('.')
            .any(|part| part == "models" || part == "batchai")
    };
    ours.then(|| class.to_owned())
}

/// Do its create parameters name the region?
pub fn has_location(class: &str) -> bool {
    matches!(
        class,
        "ClusterCreateParameters" | "JobCreateParameters" | "FileServerCreateParameters"
    )
}

/// The name of 2.0.0.
pub fn renamed(class: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(old, _)| *old == class).map(|(_, new)| *new)
}

/// The module of 2.0.0.
pub fn module_renamed(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(old, _)| *old == name).map(|(_, new)| *new)
}
