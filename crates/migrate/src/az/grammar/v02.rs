//! Dialect 0.2.

use super::common::*;
use super::{Command, Opt, Role};

const CLUSTER: &[Opt] = &[G, must(Role::Cluster, NAME)];
const JOB: &[Opt] = &[G, must(Role::Job, NAME)];
const FILE_SERVER: &[Opt] = &[G, must(Role::FileServer, NAME)];

const CLUSTER_CREATE: &[Opt] = &[
    one(Role::Config, CONFIG_NAMES),
    L,
    one(Role::Nfs, &["--nfs-name", "--nfs"]),
    NFS_GROUP,
    one(Role::Bfs, &["--bfs-name", "--container-name"]),
    one(Role::BfsPath, &["--bfs-mount-path", "--container-mount-path"]),
];
const JOB_CREATE: &[Opt] = &[
    must(Role::Config, CONFIG_NAMES),
    L,
    one(Role::Cluster, &["--cluster-name", "-r"]),
    one(Role::ClusterGroup, &["--cluster-resource-group"]),
    one(Role::Nfs, &["--nfs-name"]),
    NFS_GROUP,
];
const LINKS: &[Opt] = &[PATH, one(Role::Expiry, &["--expiry", "-e"])];
const DIRECTORY: Opt = one(Role::Directory, DIRECTORY_NAMES);

pub const COMMANDS: &[Command] = &[
    same("cluster auto-scale", &[CLUSTER, &[MIN_MUST, MAX_MUST]]),
    same(
        "cluster create",
        &[CLUSTER, CLUSTER_CREATE, LOGIN, CLUSTER_SINCE_02, MOUNTS, ACCOUNT],
    ),
    same("cluster delete", &[CLUSTER, &[YES, NO_WAIT]]),
    same("cluster list", &[&[G_FREE]]),
    becomes("cluster list-files", "cluster file list", &[CLUSTER, LINKS]),
    becomes("cluster list-nodes", "cluster node list", &[CLUSTER]),
    same("cluster resize", &[CLUSTER, &[TARGET]]),
    same("cluster show", &[CLUSTER]),
    same(
        "file-server create",
        &[
            FILE_SERVER,
            &[one(Role::Config, CONFIG_NAMES), L],
            LOGIN,
            DISKS,
            FILE_SERVER_SINCE_02,
        ],
    ),
    same("file-server delete", &[FILE_SERVER, &[YES, NO_WAIT]]),
    same("file-server list", &[&[G_FREE]]),
    same("file-server show", &[FILE_SERVER]),
    same("job create", &[JOB, JOB_CREATE, MOUNTS, BFS, ACCOUNT]),
    same("job delete", &[JOB, &[YES, NO_WAIT]]),
    same("job file list", &[JOB, &[DIRECTORY], LINKS]),
    same(
        "job file stream",
        &[JOB, &[must(Role::File, &["--file-name", "-f"]), DIRECTORY, PATH]],
    ),
    same("job list", &[&[G_FREE]]),
    becomes("job list-nodes", "job node list", &[JOB]),
    same("job show", &[JOB]),
    same("job terminate", &[JOB, &[YES, NO_WAIT]]),
    same("job wait", &[JOB, &[INTERVAL]]),
    same("list-usages", &[&[L_MUST]]),
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
