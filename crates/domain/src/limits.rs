//! Every limit of the service in one place.

/// Longest name of a workspace, cluster, file server, experiment or job (api.md section 1).
pub const NAME_LENGTH: usize = 64;
/// Longest name of a resource group (Azure's own limit).
pub const GROUP_NAME_LENGTH: usize = 90;
/// Longest region: `migrated-` and the region must fit in a workspace name.
pub const REGION_LENGTH: usize = 55;
/// Most nodes of a cluster (behaviour.md section 2).
pub const NODES_PER_CLUSTER: u32 = 100;
/// Most entries of one page of a list, and how many a page has when not asked (api.md section 1).
pub const PAGE_SIZE: u32 = 1000;
/// Minutes a download link may live: least, most, and when not asked (api.md section 3).
pub const LINK_MINUTES: (u32, u32, u32) = (5, 600, 60);
/// Longest time a job may run, in seconds: 7 days (behaviour.md section 4).
pub const JOB_SECONDS: i64 = 7 * 24 * 3600;
/// Most entries in `publicIPsToAllow` (api.md, SshConfiguration).
pub const PUBLIC_IPS: usize = 400;
/// Least and most priority; the classes low, normal and high are -1000, 0 and 1000.
pub const PRIORITY: (i32, i32) = (-1000, 1000);
/// Most tags of a workspace, and the longest tag name and value (Azure's own limits).
pub const TAGS: (usize, usize, usize) = (50, 512, 256);
/// Most entries of any list member of a request, such as environment variables or mounts.
pub const LIST_ENTRIES: usize = 1000;
/// Longest text of any member of a request, in bytes.
pub const TEXT_BYTES: usize = 64 * 1024;
/// Most bytes of all variables and secrets of a job or setup task, names and values: every process has a copy, and
/// Linux starts none whose environment is much larger.
pub const ENVIRONMENT_BYTES: usize = 128 * 1024;
/// Most processes of one job.
pub const PROCESSES: u32 = 1024;
