//! Dialect 0.1.

use super::common::*;
use super::{Command, Opt, Role};

const CLUSTER: &[Opt] = &[G, must(Role::Cluster, NAME)];
const JOB: &[Opt] = &[G, must(Role::Job, NAME)];
const FILE_SERVER: &[Opt] = &[G, must(Role::FileServer, NAME)];

const CLUSTER_CREATE: &[Opt] = &[
    one(Role::Config, CONFIG_NAMES),
    L,
    one(Role::Image, &["--image", "-i"]),
    VM_SIZE,
    MIN,
    MAX,
    one(Role::Nfs, &["--nfs"]),
    NFS_GROUP,
    one(Role::Bfs, &["--container-name"]),
    one(Role::BfsPath, &["--container-mount-path"]),
    NO_WAIT,
];
const FILE_SERVER_CREATE: &[Opt] = &[
    one(Role::Config, CONFIG_NAMES),
    L,
    VM_SIZE,
    one(Role::User, &["--admin-user-name", "-u"]),
    one(Role::Key, &["--ssh-key", "-k"]),
    one(Role::Password, &["--password", "-p"]),
    SKU,
    NO_WAIT,
];
const JOB_CREATE: &[Opt] = &[
    must(Role::Config, CONFIG_NAMES),
    L,
    one(Role::Cluster, &["--cluster-name", "-r"]),
    one(Role::ClusterGroup, &["--cluster-resource-group"]),
    NO_WAIT,
];
const STREAM: &[Opt] = &[
    G,
    must(Role::Job, &["--job-name", "-j"]),
    must(Role::Directory, DIRECTORY_NAMES),
    must(Role::File, NAME),
];

pub const COMMANDS: &[Command] = &[
    same("cluster auto-scale", &[CLUSTER, &[MIN_MUST, MAX_MUST]]),
    same(
        "cluster create",
        &[CLUSTER, CLUSTER_CREATE, LOGIN, MOUNTS, ACCOUNT],
    ),
    same("cluster delete", &[CLUSTER, &[YES, NO_WAIT]]),
    same("cluster list", &[&[G_FREE]]),
    becomes("cluster list-nodes", "cluster node list", &[CLUSTER]),
    same("cluster resize", &[CLUSTER, &[TARGET]]),
    same("cluster show", &[CLUSTER]),
    same("file-server create", &[FILE_SERVER, FILE_SERVER_CREATE, DISKS]),
    same("file-server delete", &[FILE_SERVER, &[YES, NO_WAIT]]),
    same("file-server list", &[&[G_FREE]]),
    same("file-server show", &[FILE_SERVER]),
    same("job create", &[JOB, JOB_CREATE]),
    same("job delete", &[JOB, &[YES, NO_WAIT]]),
    same("job list", &[&[G_FREE]]),
    becomes(
        "job list-files",
        "job file list",
        &[JOB, &[must(Role::Directory, DIRECTORY_NAMES)]],
    ),
    becomes("job list-nodes", "job node list", &[JOB]),
    same("job show", &[JOB]),
    becomes("job stream-file", "job file stream", &[STREAM]),
    same("job terminate", &[JOB, &[NO_WAIT]]),
];

const fn same(path: &'static str, options: &'static [&'static [Opt]]) -> Command {
    becomes(path, path, options)
}

const fn becomes(path: &'static str, becomes: &'static str, options: &'static [&'static [Opt]]) -> Command {
    Command {
        path,
        becomes,
        options,
    }
}
