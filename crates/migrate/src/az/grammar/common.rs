//! Options that commands share, and short ways to write the tables.

use super::{Need, Opt, Role, Takes};

/// Options of every command of `az`.
pub const GLOBAL: &[Opt] = &[
    one(Role::Output, &["--output", "-o"]),
    one(Role::Query, &["--query"]),
    flag(Role::Debug, &["--debug"]),
    flag(Role::Verbose, &["--verbose"]),
    flag(Role::Help, &["--help", "-h"]),
    one(Role::Subscription, &["--subscription"]),
];

pub const fn opt(role: Role, names: &'static [&'static str], takes: Takes, need: Need) -> Opt {
    Opt {
        role,
        names,
        takes,
        need,
    }
}

/// May be absent, one value.
pub const fn one(role: Role, names: &'static [&'static str]) -> Opt {
    opt(role, names, Takes::One, Need::Free)
}

/// Must be there, one value.
pub const fn must(role: Role, names: &'static [&'static str]) -> Opt {
    opt(role, names, Takes::One, Need::Must)
}

/// May be absent, no value.
pub const fn flag(role: Role, names: &'static [&'static str]) -> Opt {
    opt(role, names, Takes::Flag, Need::Free)
}

pub const G: Opt = opt(
    Role::Group,
    &["--resource-group", "-g"],
    Takes::One,
    Need::Default,
);
pub const G_FREE: Opt = one(Role::Group, &["--resource-group", "-g"]);
pub const L: Opt = one(Role::Location, &["--location", "-l"]);
pub const L_MUST: Opt = opt(Role::Location, &["--location", "-l"], Takes::One, Need::Default);
pub const NAME: &[&str] = &["--name", "-n"];
pub const YES: Opt = flag(Role::Yes, &["--yes", "-y"]);
pub const NO_WAIT: Opt = flag(Role::NoWait, &["--no-wait"]);
pub const CONFIG_NAMES: &[&str] = &["--config", "-c"];
pub const MIN: Opt = one(Role::Min, &["--min"]);
pub const MAX: Opt = one(Role::Max, &["--max"]);
pub const MIN_MUST: Opt = must(Role::Min, &["--min"]);
pub const MAX_MUST: Opt = must(Role::Max, &["--max"]);
pub const TARGET: Opt = one(Role::Target, &["--target", "-t"]);
pub const VM_SIZE: Opt = one(Role::VmSize, &["--vm-size", "-s"]);
pub const DIRECTORY_NAMES: &[&str] = &["--output-directory-id", "-d"];
pub const PATH: Opt = one(Role::Path, &["--path", "-p"]);
pub const INTERVAL: Opt = one(Role::Interval, &["--interval"]);
pub const SKU: Opt = one(Role::Sku, &["--storage-sku"]);

/// Who logs in, by key or password.
pub const LOGIN: &[Opt] = &[
    one(Role::User, &["--user-name", "-u"]),
    one(Role::Key, &["--ssh-key", "-k"]),
    one(Role::Password, &["--password", "-p"]),
];
pub const DISKS: &[Opt] = &[
    one(Role::DiskCount, &["--disk-count"]),
    one(Role::DiskSize, &["--disk-size"]),
];
pub const ACCOUNT: &[Opt] = &[
    one(Role::Account, &["--storage-account-name"]),
    one(Role::AccountKey, &["--storage-account-key"]),
];
/// Mounts of a share, and where the one of a file server goes.
pub const MOUNTS: &[Opt] = &[
    one(Role::NfsPath, &["--nfs-mount-path"]),
    one(Role::Afs, &["--afs-name"]),
    one(Role::AfsPath, &["--afs-mount-path"]),
];
pub const NFS_GROUP: Opt = one(Role::NfsGroup, &["--nfs-resource-group"]);
/// Options of `cluster create` since 0.2.
pub const CLUSTER_SINCE_02: &[Opt] = &[
    flag(Role::GenerateKeys, &["--generate-ssh-keys"]),
    one(Role::Image, &["--image", "-i"]),
    one(Role::CustomImage, &["--custom-image"]),
    flag(Role::AutoStorage, &["--use-auto-storage"]),
    VM_SIZE,
    one(Role::VmPriority, &["--vm-priority"]),
    TARGET,
    MIN,
    MAX,
    one(Role::Subnet, &["--subnet"]),
    one(Role::SetupTask, &["--setup-task"]),
    one(Role::SetupOutput, &["--setup-task-output"]),
];
/// Options of `file-server create` since 0.2.
pub const FILE_SERVER_SINCE_02: &[Opt] = &[
    VM_SIZE,
    flag(Role::GenerateKeys, &["--generate-ssh-keys"]),
    one(Role::Caching, &["--caching-type"]),
    SKU,
    one(Role::Subnet, &["--subnet"]),
    NO_WAIT,
];
pub const BFS: &[Opt] = &[
    one(Role::Bfs, &["--bfs-name"]),
    one(Role::BfsPath, &["--bfs-mount-path"]),
];
