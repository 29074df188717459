//! The operations of the older SDKs and what each became (cli-dialects.md section 2.1).

/// Names under which a client keeps its operations, in any version; `fileservers` only in documents.
pub const GROUPS: [&str; 8] = [
    "clusters",
    "jobs",
    "file_servers",
    "fileservers",
    "usage",
    "usages",
    "workspaces",
    "experiments",
];

/// An operation of 0.2.0 and 1.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// What it takes after the resource group.
    pub takes: &'static [&'static str],
    /// How many of these must be given.
    pub needs: usize,
    /// It lies in an experiment.
    pub job: bool,
    /// It answers a poller.
    pub long: bool,
    /// Its name in 2.0.0.
    pub name: &'static str,
}

/// What a method of a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// It was there and takes more now.
    Old(Operation),
    /// It walked over the whole subscription and is gone.
    ListAll,
    /// `usage.list`.
    Usage,
    /// It is one of 2.0.0 only, or means the same.
    New,
}

/// The method of a group, `None` if no version has it.
pub fn method(group: &str, method: &str) -> Option<Method> {
    let old = |takes, needs, job, long, name| {
        Some(Method::Old(Operation {
            takes,
            needs,
            job,
            long,
            name,
        }))
    };
    match (group, method) {
        ("usage", "list") => Some(Method::Usage),
        ("usages", "list") => Some(Method::New),
        ("workspaces" | "experiments", _) => Some(Method::New),
        ("clusters" | "jobs" | "file_servers" | "fileservers", "list") => Some(Method::ListAll),
        ("clusters" | "file_servers" | "fileservers", "list_by_workspace")
        | ("jobs", "list_by_experiment") => Some(Method::New),
        ("clusters", "create") => old(&["cluster_name", "parameters"], 2, false, true, "create"),
        ("clusters", "delete") => old(&["cluster_name"], 1, false, true, "delete"),
        ("clusters", "get") => old(&["cluster_name"], 1, false, false, "get"),
        ("clusters", "update") => old(
            &["cluster_name", "tags", "scale_settings"],
            1,
            false,
            false,
            "update",
        ),
        ("clusters", "list_remote_login_information") => old(
            &["cluster_name"],
            1,
            false,
            false,
            "list_remote_login_information",
        ),
        ("clusters", "list_by_resource_group") => old(
            &["clusters_list_by_resource_group_options"],
            0,
            false,
            false,
            "list_by_workspace",
        ),
        ("file_servers" | "fileservers", "create") => {
            old(&["file_server_name", "parameters"], 2, false, true, "create")
        }
        ("file_servers" | "fileservers", "delete") => old(&["file_server_name"], 1, false, true, "delete"),
        ("file_servers" | "fileservers", "get") => old(&["file_server_name"], 1, false, false, "get"),
        ("file_servers" | "fileservers", "list_by_resource_group") => old(
            &["file_servers_list_by_resource_group_options"],
            0,
            false,
            false,
            "list_by_workspace",
        ),
        ("jobs", "create") => old(&["job_name", "parameters"], 2, true, true, "create"),
        ("jobs", "delete") => old(&["job_name"], 1, true, true, "delete"),
        ("jobs", "get") => old(&["job_name"], 1, true, false, "get"),
        ("jobs", "terminate") => old(&["job_name"], 1, true, true, "terminate"),
        ("jobs", "list_output_files") => old(
            &["job_name", "jobs_list_output_files_options"],
            2,
            true,
            false,
            "list_output_files",
        ),
        ("jobs", "list_remote_login_information") => {
            old(&["job_name"], 1, true, false, "list_remote_login_information")
        }
        ("jobs", "list_by_resource_group") => old(
            &["jobs_list_by_resource_group_options"],
            0,
            true,
            false,
            "list_by_experiment",
        ),
        _ => None,
    }
}

/// Methods that hardly any other thing has: enough to ask whether an unknown object is a client.
pub fn is_telling(method: &str) -> bool {
    matches!(
        method,
        "list_by_resource_group" | "list_output_files" | "list_remote_login_information" | "terminate"
    )
}
