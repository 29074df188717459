//! What the operator sets.

use std::collections::BTreeMap;
use trainyard_engine::Addresses;

use jiff::SignedDuration;
use trainyard_domain::launch::Caps;
use trainyard_domain::name::SubscriptionId;
use trainyard_domain::spec::VmPriority;
use trainyard_store::CoresInUse;

/// Settings of the service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The subscriptions there are; every other one is `SubscriptionNotFound`.
    pub subscriptions: Vec<SubscriptionId>,
    /// Base of absolute links, without a slash at the end; `None` takes it from each request's Host.
    pub public_url: Option<String>,
    /// VM sizes by upper-cased name.
    pub vm_sizes: BTreeMap<String, VmSize>,
    /// Quota families in the order of the usages list.
    pub families: Vec<String>,
    /// Quotas of each subscription and region.
    pub quotas: Quotas,
    /// No job starts with fewer bytes free than this.
    pub min_free_bytes: u64,
    /// How often a job goes back to its place in the line when a node is lost; 3 by default.
    pub max_node_losses: u32,
    /// Seconds after which auto-scale releases an idle node; 60 by default.
    pub idle_seconds: u32,
    /// Seconds between SIGTERM and SIGKILL when a job is stopped; 30 by default.
    pub grace_seconds: u32,
    /// How much a job may write on each of its nodes.
    pub caps: Caps,
    /// How long events and outcomes of operations are kept.
    pub kept: Kept,
    /// Whether clusters of GPU sizes run on machines without GPUs, with `AZ_BATCHAI_NUM_GPUS` 0.
    pub ignore_missing_gpus: bool,
    /// The addresses that nodes get.
    pub addresses: Addresses,
    /// Whether nodes are held to the cores, memory and processes of their VM size.
    pub enforce_limits: bool,
    /// The one tenant: a GUID, made at the first start.
    pub tenant: String,
    /// How long an access token holds that somebody signed in for, in seconds; 3600 by default.
    pub token_seconds: u32,
    /// Whether tokens are given at the paths of managed identities; off by default.
    pub managed_identity: bool,
    /// Resource groups of storage accounts, by the account's name in lower case, where the operator has named one.
    pub account_groups: BTreeMap<String, String>,
    /// Largest request body, in bytes.
    pub body_bytes: usize,
}

/// How long rows are kept that only tell what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Events, by age; `None` is for ever.
    pub events: Option<SignedDuration>,
    /// Most events; the oldest go first. 0 is no limit.
    pub most_events: u64,
    /// Outcomes of long-running operations, by age.
    pub operations: SignedDuration,
}

/// 400 days or two million events, a week of operations.
impl Default for Kept {
    fn default() -> Kept {
        Kept {
            events: Some(SignedDuration::from_hours(400 * 24)),
            most_events: 2_000_000,
            operations: SignedDuration::from_hours(7 * 24),
        }
    }
}

/// A size of virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmSize {
    /// Cores.
    pub cores: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Processes and threads at once.
    pub processes: u64,
    /// GPUs.
    pub gpus: u32,
    /// Its quota family, such as `Standard D Family`.
    pub family: String,
    /// Whether file servers of this size can have premium disks and caching.
    pub premium_storage: bool,
}

/// Quotas of each subscription and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// Clusters.
    pub clusters: u32,
    /// Cores of dedicated nodes; `None` is no limit.
    pub dedicated_cores: Option<u32>,
    /// Cores of low-priority nodes; `None` is no limit.
    pub low_priority_cores: Option<u32>,
    /// The same of single families, dedicated and low-priority; one that is not here has the limits above.
    pub family_cores: BTreeMap<String, (Option<u32>, Option<u32>)>,
}

impl Settings {
    /// A size of the catalogue, compared without case.
    pub fn vm_size(&self, name: &str) -> Option<&VmSize> {
        self.vm_sizes.get(&name.to_ascii_uppercase())
    }
}

impl Settings {
    /// Cores of the nodes of one kind, of one family or of all.
    pub(crate) fn cores_in_use(
        &self,
        nodes: &[CoresInUse],
        priority: VmPriority,
        family: Option<&str>,
    ) -> u32 {
        let of_kind = nodes.iter().filter(|used| used.priority == priority);
        let sized = of_kind.filter_map(|used| Some((self.vm_size(&used.vm_size)?, used.nodes)));
        let of_family = sized.filter(|(size, _)| family.is_none_or(|family| size.family == family));
        of_family
            .map(|(size, nodes)| size.cores.saturating_mul(nodes))
            .fold(0, u32::saturating_add)
    }
}

impl Quotas {
    /// Limits of cores for one kind of nodes: of all of them, and of one family.
    pub(crate) fn cores(&self, priority: VmPriority, family: &str) -> (Option<u32>, Option<u32>) {
        let own = self.family_cores.get(family).copied().unwrap_or_default();
        match priority {
            VmPriority::Dedicated => (self.dedicated_cores, own.0),
            VmPriority::LowPriority => (self.low_priority_cores, own.1),
        }
    }
}
