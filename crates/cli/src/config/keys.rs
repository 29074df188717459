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
        "Most nodes on this machine, all clusters together; at most 1023 on a bridge.",
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
        "local.mount_commands",
        Kind::List,
        "none",
        "Programs that mountCommand of unmanagedFileSystems may run as root beside a guarded `mount -t TYPE` for networks and memory: `mount` for all of its types and options, a name such as `sshfs`, `*` for any. Whoever may make jobs can become root by them. See [volumes](mounts.md).",
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
        "local.network",
        Kind::Text,
        "loopback",
        "The network of nodes: `loopback` is the machine's, with a loopback address each; `bridge` gives isolated nodes one each. It changes the machine. See [nodes](nodes.md).",
    ),
    key(
        "local.bridge_subnet",
        Kind::Text,
        "10.199.0.0",
        "Subnet of the bridge, with 16 bits for its nodes.",
    ),
    key(
        "remote_login.enabled",
        Kind::Flag,
        "true",
        "Let the admin user of a cluster log in to its nodes by SSH. See [remote login](remote-login.md).",
    ),
    key(
        "remote_login.listen",
        Kind::Text,
        "127.0.0.1",
        "Address at which nodes let people in. With another than a loopback address other machines reach it.",
    ),
    key(
        "remote_login.ports",
        Kind::Text,
        "30000-30999",
        "Ports there; each node has one of them.",
    ),
    key(
        "remote_login.public_address",
        Kind::Text,
        "`remote_login.listen`",
        "Address or name that people are told to reach them at. A server that listens at `0.0.0.0` or `::` needs it.",
    ),
    key(
        "containers.runtime",
        Kind::Text,
        "auto",
        "What runs the containers of jobs: `podman`, `docker`, `auto` for podman where it is found and else docker, or `none`. See [containers](containers.md).",
    ),
    key(
        "containers.program",
        Kind::Text,
        "found in PATH",
        "Path of that program.",
    ),
    key(
        "containers.images",
        Kind::Text,
        "none",
        "Folder of images in files; a job's image is looked up there by its name before anywhere else.",
    ),
    key(
        "containers.pull",
        Kind::Text,
        "missing",
        "When a registry is asked for an image: `missing` if it is not on this machine, `always`, or `never`.",
    ),
    key(
        "limits.body_bytes",
        Kind::Text,
        "4MiB",
        "Longest body of a request.",
    ),
    key(
        "limits.stdout_bytes",
        Kind::Text,
        "8GiB",
        "Most in one file of a job's stdout or stderr; a job with more is ended with `JobOutputLimitExceeded`. 0 is no limit. See [growth](growth.md).",
    ),
    key(
        "limits.execution_log_bytes",
        Kind::Text,
        "16MiB",
        "Most in a job's execution log, which then says so and stays silent. 0 is no limit.",
    ),
    key(
        "limits.job_temp_bytes",
        Kind::Text,
        "0",
        "Most in `AZ_BATCHAI_JOB_TEMP` of a job on a node; a job with more is ended with `JobTempLimitExceeded`. 0 is no limit.",
    ),
    key(
        "limits.disk_floor",
        Kind::Text,
        "256MiB",
        "So much of the nodes' disk is kept free, an eighth of it at most: with less, the job that grew most is ended with `NodeDiskFull`. It cannot be switched off.",
    ),
    key(
        "retention.event_days",
        Kind::Number,
        "400",
        "How many days the events of the audit trail are kept. 0 is for ever.",
    ),
    key(
        "retention.events",
        Kind::Number,
        "2000000",
        "Most events; the oldest go first. 0 is no limit.",
    ),
    key(
        "retention.operation_days",
        Kind::Number,
        "7",
        "How many days the outcome of a long-running operation can be asked for.",
    ),
    key(
        "retention.job_temp_minutes",
        Kind::Number,
        "60",
        "How many minutes a node keeps the directory of a job that is over, when no other job comes; the next one's start removes it in any case.",
    ),
    key(
        "retention.image_days",
        Kind::Number,
        "30",
        "How many days an image is kept that came here for [containers](containers.md) and that no job has used since. 0 is for ever.",
    ),
    key(
        "retention.every_minutes",
        Kind::Number,
        "60",
        "How often the server removes what [`trainyard gc`](growth.md) shows.",
    ),
    key(
        "log.file",
        Kind::Text,
        "stderr",
        "File for the log. Full ones are kept beside it as `FILE.1`, the newest, `FILE.2` and so on. SIGHUP opens it anew.",
    ),
    key(
        "log.file_bytes",
        Kind::Text,
        "64MiB",
        "Longest log file; the next line begins a new one. 0 leaves that to another program, such as logrotate.",
    ),
    key("log.keep", Kind::Number, "7", "How many full log files are kept."),
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
        "storage_accounts.NAME.kind",
        Kind::Text,
        "directory",
        "What stands behind this storage account: `directory`, `azure` or `s3`. See [storage](storage.md) for all that follows.",
    ),
    key(
        "storage_accounts.NAME.directory",
        Kind::Text,
        "none",
        "Of a directory: where its shares and containers lie. (An account that the configuration does not name lies in the data folder.)",
    ),
    key(
        "storage_accounts.NAME.key_file",
        Kind::Text,
        "none",
        "Of `azure`: the file with the account's key, which its owner alone may read.",
    ),
    key(
        "storage_accounts.NAME.key_variable",
        Kind::Text,
        "none",
        "Or the variable of the server's environment with the key.",
    ),
    key(
        "storage_accounts.NAME.key_of_requests",
        Kind::Flag,
        "false",
        "Or that it comes with each request that mounts, in `accountKey` or `accountKeySecretReference`.",
    ),
    key(
        "storage_accounts.NAME.blob_endpoint",
        Kind::Text,
        "`https://NAME.blob.core.windows.net`",
        "Of `azure`: where its containers are reached.",
    ),
    key(
        "storage_accounts.NAME.file_endpoint",
        Kind::Text,
        "`https://NAME.file.core.windows.net`",
        "Of `azure`: where its file shares are reached.",
    ),
    key(
        "storage_accounts.NAME.files",
        Kind::Text,
        "cifs",
        "Of `azure`: how nodes mount its file shares, `cifs` or `rclone`.",
    ),
    key(
        "storage_accounts.NAME.endpoint",
        Kind::Text,
        "none",
        "Of `s3`: where the store is reached.",
    ),
    key(
        "storage_accounts.NAME.region",
        Kind::Text,
        "us-east-1",
        "Of `s3`: what the store calls its region.",
    ),
    key(
        "storage_accounts.NAME.bucket",
        Kind::Text,
        "none: each container or share is the bucket of its name",
        "Of `s3`: the bucket that all containers and shares of the account are in.",
    ),
    key(
        "storage_accounts.NAME.access_key_id",
        Kind::Text,
        "none",
        "Of `s3`: the id of the access key.",
    ),
    key(
        "storage_accounts.NAME.secret_access_key_file",
        Kind::Text,
        "none",
        "Of `s3`: the file with its secret, which its owner alone may read.",
    ),
    key(
        "storage_accounts.NAME.secret_access_key_variable",
        Kind::Text,
        "none",
        "Or the variable of the server's environment with the secret.",
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
    key(
        "nfs.enabled",
        Kind::Flag,
        "false",
        "Export file servers by NFS. It takes root and nfs-ganesha. See [file servers](file-servers.md).",
    ),
    key(
        "nfs.listen",
        Kind::Text,
        "127.0.0.1",
        "Address to export them at. With another than a loopback address other machines reach it; then `nfs.clients` is needed.",
    ),
    key("nfs.port", Kind::Number, "2049", "Port there."),
    key(
        "nfs.clients",
        Kind::List,
        "this machine",
        "Addresses and networks, such as `10.0.0.0/24`, that may mount. Each of them reads and writes all file servers.",
    ),
    key(
        "nfs.public_address",
        Kind::Text,
        "`nfs.listen`",
        "Address that clients are told. A server that exports at `0.0.0.0` or `::` needs it.",
    ),
    key(
        "nfs.program",
        Kind::Text,
        "`ganesha.nfsd` in PATH",
        "The NFS server's program.",
    ),
    key(
        "secrets.key_file",
        Kind::Text,
        "`secret-key` in the data folder",
        "File of the key that seals secrets, made at the first start. Not read where `TRAINYARD_SECRET_KEY` or a systemd credential gives the key. See [secrets](secrets.md).",
    ),
    key(
        "key_vaults.folder",
        Kind::Text,
        "none",
        "Folder with the secrets of key vaults, in files `VAULT/SECRET` or `VAULT/SECRET/VERSION`. Looked at before the command is asked. See [secrets](secrets.md).",
    ),
    key(
        "key_vaults.command",
        Kind::List,
        "none",
        "Program and arguments that print a secret of a key vault. `{url}`, `{vault}`, `{vault_id}`, `{name}` and `{version}` in an argument stand for what is asked for.",
    ),
    key(
        "key_vaults.timeout_seconds",
        Kind::Number,
        "60",
        "Seconds that one secret of a key vault may take, all tries together, 1 to 3600.",
    ),
    key(
        "key_vaults.parallel",
        Kind::Number,
        "8",
        "For how many jobs and nodes at once secrets are fetched from key vaults, 1 to 64.",
    ),
];
