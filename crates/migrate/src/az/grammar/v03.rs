//! Dialect 0.3, the target.

use super::common::*;
use super::{Command, Need, Opt, Role, Takes};

const W_NAMES: &[&str] = &["--workspace", "-w"];
const W: Opt = must(Role::Workspace, W_NAMES);
const E: Opt = must(Role::Experiment, &["--experiment", "-e"]);
const CONFIG: &[&str] = &["--config-file", "-f"];
const IDS: Opt = opt(Role::Ids, &["--ids"], Takes::Many, Need::Free);

/// Required unless `--ids` is given.
const fn unless(role: Role, names: &'static [&'static str]) -> Opt {
    opt(role, names, Takes::One, Need::UnlessIds)
}

const G_IDS: Opt = opt(
    Role::Group,
    &["--resource-group", "-g"],
    Takes::One,
    Need::DefaultOrIds,
);
const W_IDS: Opt = unless(Role::Workspace, W_NAMES);
const E_IDS: Opt = unless(Role::Experiment, &["--experiment", "-e"]);

const CLUSTER: &[Opt] = &[G_IDS, W_IDS, unless(Role::Cluster, NAME), IDS];
const FILE_SERVER: &[Opt] = &[G_IDS, W_IDS, unless(Role::FileServer, NAME), IDS];
const EXPERIMENT: &[Opt] = &[G_IDS, W_IDS, unless(Role::Experiment, NAME), IDS];
const WORKSPACE: &[Opt] = &[G_IDS, unless(Role::Workspace, &["--workspace", "-n"]), IDS];
const JOB: &[Opt] = &[G_IDS, W_IDS, E_IDS, unless(Role::Job, NAME), IDS];
const IN_CLUSTER: &[Opt] = &[G, W, must(Role::Cluster, &["--cluster", "-c"])];
const IN_JOB: &[Opt] = &[G, W, E, must(Role::Job, &["--job", "-j"])];
const DELETE: &[Opt] = &[YES, NO_WAIT];
const LINKS: &[Opt] = &[PATH, one(Role::Expiry, &["--expiry"])];
const DIRECTORY: Opt = one(Role::Directory, DIRECTORY_NAMES);
const NFS: Opt = one(Role::Nfs, &["--nfs"]);
const EXEC: &[Opt] = &[
    one(Role::Node, &["--node-id", "-n"]),
    one(Role::Address, &["--address", "-L"]),
    one(Role::Exec, &["--exec"]),
    one(Role::Password, &["--password", "-p"]),
    one(Role::PrivateKey, &["--ssh-private-key", "-k"]),
];
const CLUSTER_CREATE: &[Opt] = &[G, W, must(Role::Cluster, NAME), one(Role::Config, CONFIG), NFS];
const FILE_SERVER_CREATE: &[Opt] = &[G, W, must(Role::FileServer, NAME), one(Role::Config, CONFIG)];
const JOB_CREATE: &[Opt] = &[
    G,
    W,
    E,
    must(Role::Job, NAME),
    must(Role::Config, CONFIG),
    must(Role::Cluster, &["--cluster", "-c"]),
    NFS,
];

pub const COMMANDS: &[Command] = &[
    command("cluster auto-scale", &[CLUSTER, &[MIN_MUST, MAX_MUST]]),
    command(
        "cluster create",
        &[CLUSTER_CREATE, LOGIN, CLUSTER_SINCE_02, MOUNTS, BFS, ACCOUNT],
    ),
    command("cluster delete", &[CLUSTER, DELETE]),
    command("cluster file list", &[IN_CLUSTER, LINKS]),
    command("cluster list", &[&[G, W]]),
    command("cluster node exec", &[IN_CLUSTER, EXEC]),
    command("cluster node list", &[IN_CLUSTER]),
    command("cluster resize", &[CLUSTER, &[TARGET]]),
    command("cluster show", &[CLUSTER]),
    command("experiment create", &[&[G, W, must(Role::Experiment, NAME)]]),
    command("experiment delete", &[EXPERIMENT, DELETE]),
    command("experiment list", &[&[G, W]]),
    command("experiment show", &[EXPERIMENT]),
    command(
        "file-server create",
        &[FILE_SERVER_CREATE, LOGIN, DISKS, FILE_SERVER_SINCE_02],
    ),
    command("file-server delete", &[FILE_SERVER, DELETE]),
    command("file-server list", &[&[G, W]]),
    command("file-server show", &[FILE_SERVER]),
    command("job create", &[JOB_CREATE, MOUNTS, BFS, ACCOUNT]),
    command("job delete", &[JOB, DELETE]),
    command("job file list", &[IN_JOB, &[DIRECTORY], LINKS]),
    command(
        "job file stream",
        &[
            IN_JOB,
            &[must(Role::File, &["--file-name", "-f"]), DIRECTORY, PATH],
        ],
    ),
    command("job list", &[&[G, W, E]]),
    command("job node exec", &[IN_JOB, EXEC]),
    command("job node list", &[IN_JOB]),
    command("job show", &[JOB]),
    command("job terminate", &[JOB, DELETE]),
    command("job wait", &[JOB, &[INTERVAL]]),
    command("list-usages", &[&[L_MUST]]),
    command(
        "workspace create",
        &[&[G, must(Role::Workspace, &["--workspace", "-n"]), L]],
    ),
    command("workspace delete", &[WORKSPACE, DELETE]),
    command("workspace list", &[&[G_FREE]]),
    command("workspace show", &[WORKSPACE]),
];

const fn command(path: &'static str, options: &'static [&'static [Opt]]) -> Command {
    Command {
        path,
        becomes: path,
        options,
    }
}
