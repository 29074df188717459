//! The server's configuration.
//!
//! It is laid in layers: defaults, then a TOML file, then `TRAINYARD_*` variables, then flags (see [`layers`]).
//! [`keys::KEYS`] describes every key; `docs/configuration.md` is written from it.

pub mod accounts;
pub mod catalogue;
pub mod check;
pub mod docs;
pub mod keys;
pub mod layers;
pub mod ports;
pub mod size;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trainyard_nfs::Client;
use trainyard_node::container::{Choice, Pull};

use accounts::StorageAccount;
use ports::Ports;
use size::ByteSize;

/// Everything that can be set. [`keys::KEYS`] says what each member means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    pub allow_insecure_listen: bool,
    pub public_url: Option<String>,
    /// `None` is the folder that the system keeps for a user's data; [`layers::load`] fills it in.
    pub data: Option<PathBuf>,
    pub subscriptions: Vec<String>,
    pub min_free: ByteSize,
    pub max_node_losses: u32,
    pub tls: Tls,
    pub sign_in: SignIn,
    pub autoscale: Autoscale,
    pub local: Local,
    pub remote_login: RemoteLogin,
    pub containers: Containers,
    pub limits: Limits,
    pub retention: Retention,
    pub log: Log,
    pub quotas: Quotas,
    pub vm_sizes: BTreeMap<String, VmSize>,
    pub storage_accounts: BTreeMap<String, StorageAccount>,
    pub file_servers: FileServers,
    pub nfs: Nfs,
    pub secrets: Secrets,
    pub key_vaults: KeyVaults,
}

/// `[tls]`: both files, or `local`, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// A certificate of a locally made authority instead.
    pub local: bool,
}

/// What to do when too few GPUs are free for a new node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingGpus {
    /// The cluster stays below its target.
    Wait,
    /// Nodes start without, and tell their jobs that there are none.
    Ignore,
}

/// `[sign_in]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignIn {
    pub token_minutes: u32,
    pub managed_identity: bool,
}

/// `[autoscale]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Autoscale {
    pub idle_time: u32,
}

/// `[local]`: the local engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Local {
    pub max_nodes: u32,
    pub missing_gpus: MissingGpus,
    pub limits: NodeLimits,
    pub pass_environment: Vec<String>,
    pub mount_commands: Vec<String>,
    pub grace_seconds: u32,
    pub level: LevelWish,
    /// Account of the machine as which jobs of isolated nodes run.
    pub run_as: Option<String>,
    pub network: NetworkWish,
    /// First two numbers of the addresses on the bridge; the others are 0.
    pub bridge_subnet: Ipv4Addr,
}

/// What network nodes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkWish {
    /// The machine's, with a loopback address each.
    Loopback,
    /// One each, on a bridge of the machine.
    Bridge,
}

/// How nodes are to be kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LevelWish {
    /// Isolated where that can be had.
    Auto,
    /// Isolated, or the server does not start.
    Isolated,
    /// Not at all.
    Plain,
}

/// `[remote_login]`: SSH to nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteLogin {
    pub enabled: bool,
    pub listen: IpAddr,
    /// Each node has one of them.
    pub ports: Ports,
    /// What people are told where `listen` is not what they can reach.
    pub public_address: Option<String>,
}

/// `[containers]`: what runs the containers of jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Containers {
    pub runtime: Choice,
    pub program: Option<PathBuf>,
    pub images: Option<PathBuf>,
    pub pull: Pull,
}

/// Whether nodes are held to what a machine of their VM size has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeLimits {
    /// As far as the machine can.
    Enforce,
    /// They may use all that the machine has.
    Off,
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub body_bytes: ByteSize,
    pub stdout_bytes: ByteSize,
    pub execution_log_bytes: ByteSize,
    pub job_temp_bytes: ByteSize,
    pub disk_floor: ByteSize,
}

/// `[retention]`: how long things are kept that only tell what was, or may be needed no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    pub event_days: u32,
    pub events: u64,
    pub operation_days: u32,
    pub job_temp_minutes: u32,
    pub image_days: u32,
    pub every_minutes: u32,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub file: Option<PathBuf>,
    pub file_bytes: ByteSize,
    pub keep: u32,
    pub format: LogFormat,
    pub level: LogLevel,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// The least severity that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// `[quotas]` (behaviour.md section 12). Cores that are not set are not limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    pub clusters: u32,
    pub dedicated_cores: Option<u32>,
    pub lowpriority_cores: Option<u32>,
    pub families: BTreeMap<String, FamilyQuota>,
}

/// `[quotas.families.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FamilyQuota {
    pub dedicated_cores: Option<u32>,
    pub lowpriority_cores: Option<u32>,
}

/// `[vm_sizes.NAME]`: what a node of that size may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmSize {
    /// Cores, at least 1.
    pub cores: u32,
    /// Memory in MiB, at least 1.
    pub memory: u64,
    /// Processes and threads at once; `None` goes by the cores.
    #[serde(default)]
    pub processes: Option<u64>,
    /// GPUs.
    #[serde(default)]
    pub gpus: u32,
    /// Quota family, such as `Standard D Family`.
    pub family: String,
}

/// `[file_servers]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileServers {
    /// Where their folders lie; `None` is in the data folder.
    pub directory: Option<PathBuf>,
}

/// `[nfs]`: file servers for clients beyond the nodes of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nfs {
    pub enabled: bool,
    pub listen: IpAddr,
    pub port: u16,
    /// Who may mount; nobody named is this machine.
    pub clients: Vec<Client>,
    /// What clients are told where `listen` is not what they can reach.
    pub public_address: Option<IpAddr>,
    pub program: Option<PathBuf>,
}

/// `[secrets]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// Where the key that seals lies; `None` is in the data folder.
    pub key_file: Option<PathBuf>,
}

/// `[key_vaults]`: how secrets of key vaults are had. With neither folder nor command they are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyVaults {
    /// `VAULT/SECRET` and `VAULT/SECRET/VERSION` beneath it; looked at first.
    pub folder: Option<PathBuf>,
    /// A program with its arguments.
    pub command: Vec<String>,
    /// Seconds that one secret may take, all tries together.
    pub timeout_seconds: u32,
    /// How many are asked for at once.
    pub parallel: u32,
}

impl Default for KeyVaults {
    fn default() -> Self {
        Self {
            folder: None,
            command: Vec::new(),
            timeout_seconds: 60,
            parallel: 8,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            allow_insecure_listen: false,
            public_url: None,
            data: None,
            subscriptions: Vec::new(),
            min_free: ByteSize(1 << 30),
            max_node_losses: 3,
            tls: Tls::default(),
            sign_in: SignIn::default(),
            autoscale: Autoscale::default(),
            local: Local::default(),
            remote_login: RemoteLogin::default(),
            containers: Containers::default(),
            limits: Limits::default(),
            retention: Retention::default(),
            log: Log::default(),
            quotas: Quotas::default(),
            vm_sizes: BTreeMap::new(),
            storage_accounts: BTreeMap::new(),
            file_servers: FileServers::default(),
            nfs: Nfs::default(),
            secrets: Secrets::default(),
            key_vaults: KeyVaults::default(),
        }
    }
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            token_minutes: 60,
            managed_identity: false,
        }
    }
}

impl Default for Autoscale {
    fn default() -> Self {
        Self { idle_time: 60 }
    }
}

impl Default for Local {
    fn default() -> Self {
        Self {
            max_nodes: 64,
            missing_gpus: MissingGpus::Wait,
            limits: NodeLimits::Enforce,
            pass_environment: Vec::new(),
            mount_commands: Vec::new(),
            grace_seconds: 30,
            level: LevelWish::Auto,
            run_as: None,
            network: NetworkWish::Loopback,
            bridge_subnet: Ipv4Addr::new(10, 199, 0, 0),
        }
    }
}

impl Default for RemoteLogin {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: IpAddr::from([127, 0, 0, 1]),
            // Above those of jobs, below those that systems take for outgoing connections.
            ports: Ports(30_000..=30_999),
            public_address: None,
        }
    }
}

impl Default for Nfs {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: IpAddr::from([127, 0, 0, 1]),
            port: 2049,
            clients: Vec::new(),
            public_address: None,
            program: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: ByteSize(4 << 20),
            stdout_bytes: ByteSize(8 << 30),
            execution_log_bytes: ByteSize(16 << 20),
            job_temp_bytes: ByteSize(0),
            disk_floor: ByteSize(256 << 20),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            event_days: 400,
            events: 2_000_000,
            operation_days: 7,
            job_temp_minutes: 60,
            image_days: 30,
            every_minutes: 60,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            file: None,
            file_bytes: ByteSize(64 << 20),
            keep: 7,
            format: LogFormat::Text,
            level: LogLevel::Info,
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            clusters: 20,
            dedicated_cores: None,
            lowpriority_cores: None,
            families: BTreeMap::new(),
        }
    }
}

impl VmSize {
    /// How many processes and threads there may be at once, if it is not said: frameworks start a thread for each core
    /// of the machine, in each of their processes.
    pub fn processes(&self) -> u64 {
        let by_cores = (1024 * u64::from(self.cores)).max(4096);
        self.processes.unwrap_or(by_cores)
    }
}

impl Config {
    /// The data folder; set by [`layers::load`].
    pub fn data(&self) -> &std::path::Path {
        self.data.as_deref().unwrap_or(std::path::Path::new("."))
    }

    /// The file of the key that seals secrets, unless that comes from elsewhere.
    pub fn key_file(&self) -> PathBuf {
        let own = self.secrets.key_file.clone();
        own.unwrap_or_else(|| self.data().join("secret-key"))
    }

    /// The sizes of the catalogue with those of the configuration over them, by upper-case name.
    pub fn sizes(&self) -> BTreeMap<String, VmSize> {
        let mut sizes = catalogue::sizes();
        let own = self
            .vm_sizes
            .iter()
            .map(|(name, size)| (name.to_ascii_uppercase(), size.clone()));
        sizes.extend(own);
        sizes
    }
}
