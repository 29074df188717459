//! Every key of the configuration, with its meaning: the source of `docs/configuration.md`, of the names of
//! environment variables, and of how their text is read.

/// How the text of a variable or flag becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text as it is.
    Text,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// Texts with commas between them.
    List,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Path in the file; a part in capitals, such as NAME, stands for any name.
    pub name: &'static str,
    /// How its text is read.
    pub kind: Kind,
    /// Its value when nothing sets it, in words where it is not fixed.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

impl Key {
    /// The variable that sets it. Keys under a free name have none: they are set in the file only.
    pub fn variable(&self) -> Option<String> {
        let free = self.name.contains("NAME");
        (!free).then(|| format!("TRAINYARD_{}", self.name.replace('.', "_").to_ascii_uppercase()))
    }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        meaning,
    }
}

/// All keys.
pub const KEYS: &[Key] = &[
    key(
        "listen",
        Kind::Text,
        "127.0.0.1:8080",
        "Address and port to listen on. Port 0 takes any free one. Other machines reach it only if it is not a loopback address; then `tls` is needed.",
    ),
    key(
        "allow_insecure_listen",
        Kind::Flag,
        "false",
        "Listen on an address that other machines reach although there is no TLS: tokens and secrets then cross the network in clear.",
    ),
    key(
        "public_url",
        Kind::Text,
        "the request's Host",
        "What links in answers begin with, such as `https://trains.example.org`. Set it behind a proxy.",
    ),
    key(
        "data",
        Kind::Text,
        "`$XDG_DATA_HOME/trainyard`, else `~/.local/share/trainyard`",
        "The data folder: database, admin token, storage, nodes.",
    ),
    key(
        "subscriptions",
        Kind::List,
        "one, made at the first start",
        "Ids of the subscriptions there are. Any other is `SubscriptionNotFound`.",
    ),
    key(
        "min_free",
        Kind::Text,
        "1GiB",
        "No job starts while the data folder's file system has less room.",
    ),
    key(
        "max_node_losses",
        Kind::Number,
        "3",
        "How often a job goes back to its place in the line when its node is lost; after that it fails with `NodeLost`.",
    ),
    key(
        "tls.certificate",
        Kind::Text,
        "none",
        "PEM file with the certificate and its chain. Goes with `tls.key`.",
    ),
    key("tls.key", Kind::Text, "none", "PEM file with the private key."),
    key(
        "tls.local",
        Kind::Flag,
        "false",
        "TLS without files of your own: by a certificate of an authority made in the folder `tls` of the data folder. See [signing in](signing-in.md).",
    ),
    key(
        "sign_in.token_minutes",
        Kind::Number,
        "60",
        "How many minutes a token holds that a service principal signed in for, 5 to 1440.",
    ),
    key(
        "sign_in.managed_identity",
        Kind::Flag,
        "false",
        "Give tokens to who knows the path of a managed identity on this machine. See [signing in](signing-in.md) for its danger.",
    ),
    key(
        "autoscale.idle_time",
        Kind::Number,
        "60",
        "Seconds a node of an auto-scale cluster stays without work before it leaves.",
    ),
    key(
        "local.max_nodes",
        Kind::Number,
        "64",
        "Most nodes on this machine, all clusters together.",
    ),
    key(
        "local.missing_gpus",
        Kind::Text,
        "wait",
        "Too few GPUs are free for a new node: `wait` keeps the cluster below its target, `ignore` starts the node without. See [GPUs](gpus.md).",
    ),
    key(
        "local.limits",
        Kind::Text,
        "enforce",
        "Whether a node with all that it runs is held to the cores, memory and processes of its VM size: `enforce`, as far as the machine can, or `off`. See [limits](limits.md).",
    ),
    key(
        "local.pass_environment",
        Kind::List,
        "none",
        "Names of variables of the server that jobs see too.",
    ),
    key(
        "local.grace_seconds",
        Kind::Number,
        "30",
        "Seconds between SIGTERM and SIGKILL when a job is stopped.",
    ),
    key(
        "local.level",
        Kind::Text,
        "auto",
        "How nodes are kept apart: `isolated` (it takes root), `plain`, or `auto` for the first that this machine allows. See [nodes](nodes.md).",
    ),
    key(
        "local.run_as",
        Kind::Text,
        "root",
        "Account of this machine as which jobs and setup tasks of isolated nodes run.",
    ),
    key(
        "limits.body_bytes",
        Kind::Text,
        "4MiB",
        "Longest body of a request.",
    ),
    key(
        "log.file",
        Kind::Text,
        "stderr",
        "File for the log; the day is added to its name.",
    ),
    key(
        "log.keep",
        Kind::Number,
        "14",
        "How many days' log files are kept.",
    ),
    key("log.format", Kind::Text, "text", "`text` or `json`."),
    key(
        "log.level",
        Kind::Text,
        "info",
        "Least severity: `error`, `warn`, `info`, `debug` or `trace`.",
    ),
    key(
        "quotas.clusters",
        Kind::Number,
        "20",
        "Most clusters in a region of a subscription.",
    ),
    key(
        "quotas.dedicated_cores",
        Kind::Number,
        "no limit",
        "Most cores of dedicated nodes in a region of a subscription.",
    ),
    key(
        "quotas.lowpriority_cores",
        Kind::Number,
        "no limit",
        "The same of low-priority nodes.",
    ),
    key(
        "quotas.families.NAME.dedicated_cores",
        Kind::Number,
        "no limit",
        "The same for the sizes of one family, such as `Standard D Family`.",
    ),
    key(
        "quotas.families.NAME.lowpriority_cores",
        Kind::Number,
        "no limit",
        "The same of low-priority nodes.",
    ),
    key(
        "vm_sizes.NAME.cores",
        Kind::Number,
        "the catalogue's",
        "Cores that a node of this VM size may use. A size written here replaces the catalogue's of that name, whatever its case.",
    ),
    key(
        "vm_sizes.NAME.memory",
        Kind::Number,
        "the catalogue's",
        "Its memory in MiB.",
    ),
    key(
        "vm_sizes.NAME.processes",
        Kind::Number,
        "1024 for each core, at least 4096",
        "How many processes and threads there may be at once on one of its nodes.",
    ),
    key(
        "vm_sizes.NAME.gpus",
        Kind::Number,
        "0",
        "How many GPUs each of its nodes has for itself.",
    ),
    key(
        "vm_sizes.NAME.family",
        Kind::Text,
        "the catalogue's",
        "The family whose quota it counts to.",
    ),
    key(
        "storage_accounts.NAME.directory",
        Kind::Text,
        "in the data folder",
        "Where the shares and containers of this storage account lie.",
    ),
    key(
        "storage_accounts.NAME.resource_group",
        Kind::Text,
        "`trainyard-storage`",
        "The resource group in which clients find it when they ask for its keys.",
    ),
    key(
        "file_servers.directory",
        Kind::Text,
        "`file-servers` in the data folder",
        "Where the folders of file servers lie. Move them along when you change it.",
    ),
];
