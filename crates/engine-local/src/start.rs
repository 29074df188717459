//! Starting node processes, and finding those that run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::NodePlan;
use trainyard_node::container;
use trainyard_node::files::{self, Folder, NodeFile, StatusFile};
use trainyard_node::isolation::Isolation;
use trainyard_node::machine::{boot_id, processes, stat};

use crate::entry::{Entry, Level, Life, Process};
use crate::level::ROOT;
use crate::state::{Shared, make_private};

/// Where the engine with the folder `root` keeps the images of containers.
pub fn container_store(root: &Path) -> PathBuf {
    root.join("containers")
}

/// Name before the uid for folders that are being deleted.
pub const DISCARDED: &str = "gone-";

/// Makes the node's folder and starts its process, which makes a session of its own.
pub fn start(folder: &Folder, plan: &NodePlan, shared: &Shared) -> io::Result<Process> {
    let (settings, program) = (&shared.settings, &shared.program);
    make_private(&folder.wanted())?;
    make_private(&folder.mounts())?;
    make_private(&folder.jobs())?;
    let mut environment = settings.environment.clone();
    environment.extend(shared.gpus.visible(plan));
    let file = NodeFile {
        plan: plan.clone(),
        environment,
        cgroups: settings.cgroups,
        keep_job_temp: settings.keep_job_temp.map(|time| time.as_secs()),
        containers: container::Settings {
            store: container_store(shared.root()),
            own_network: shared.bridge.network().is_some(),
            ..settings.containers.clone()
        },
        mount_commands: settings.mount_commands.clone(),
        isolation: settings.isolation.as_ref().map(|wanted| Isolation {
            root: ROOT.into(),
            hidden: wanted.hidden.clone(),
            tools: Some(shared.tools()),
            account: wanted.account.clone(),
            network: shared.bridge.network(),
        }),
    };
    files::write(&folder.node(), &file)?;
    let log = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.log())?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the local engine's nodes are processes; it watches their end"
    )]
    let mut command = Command::new(&program.program);
    let child = command
        .args(&program.arguments)
        .arg("--folder")
        .arg(folder.root())
        .env_clear()
        // For bash, which closes foreign descriptors, and for ip and nsenter, which make networks.
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    Ok(Process {
        handle: Arc::new(handle),
        child: Some(Arc::new(Mutex::new(child))),
    })
}

/// Finds the nodes whose folders are in `nodes`, alive or not.
pub fn find(nodes: &Path) -> io::Result<BTreeMap<Uid, Entry>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(nodes)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(DISCARDED) {
            remove_later(&entry.path());
        } else if let Ok(uid) = name.parse() {
            let node = Uid(uid);
            let folder = Folder::new(entry.path());
            if let Err(error) = files::remove_drafts(&folder) {
                tracing::warn!(%node, %error, "what is left of a file that was being written cannot be removed");
            }
            found.insert(node, look(node, folder));
        }
    }
    Ok(found)
}

/// How far the node was told to keep apart. One whose file cannot be read is gone.
fn level(folder: &Folder) -> Level {
    let file: Result<NodeFile, _> = files::read(&folder.node());
    match file.ok().and_then(|file| file.isolation) {
        Some(Isolation { network, .. }) => Level::Isolated { network },
        None => Level::Plain,
    }
}

/// A node's folder without a status is that of a node that has not begun anything; it may be about to.
fn look(node: Uid, folder: Folder) -> Entry {
    let level = level(&folder);
    let Some(status) = read_status(&folder) else {
        let life = starting(&folder).map_or(Life::Sweeping, Life::Running);
        return Entry::new(folder, level, life);
    };
    let life = alive(&status).map_or(Life::Sweeping, Life::Running);
    let mut entry = Entry::new(folder, level, life);
    entry.absorb(node, status);
    entry
}

/// A process of a node by its command line: of one that has said nothing yet, or beside that which it named.
pub fn starting(folder: &Folder) -> Option<Process> {
    let end = format!("\0--folder\0{}\0", folder.root().display());
    processes().into_iter().find_map(|pid| {
        // The handle first: what is read after it is of no other process.
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let command = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).ok()?;
        command.ends_with(end.as_bytes()).then(|| Process {
            handle: Arc::new(handle),
            child: None,
        })
    })
}

/// The status, if there is one that can be read.
pub fn read_status(folder: &Folder) -> Option<StatusFile> {
    if !folder.status().exists() {
        return None;
    }
    files::read(&folder.status())
        .inspect_err(|error| tracing::error!(%error, "a node's status cannot be used"))
        .ok()
}

/// The process of the status, if it runs: its number may have been given out again, so boot and start time
/// count, looked at while a handle keeps them from changing hands.
pub fn alive(status: &StatusFile) -> Option<Process> {
    if status.boot_id != boot_id() {
        return None;
    }
    let pid = Pid::from_raw(status.pid)?;
    let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let found = stat(pid)?;
    (found.start_time == status.start_time && !found.zombie).then(|| Process {
        handle: Arc::new(handle),
        child: None,
    })
}

/// Deletes a folder on a thread of its own: it may be large.
pub fn remove_later(folder: &Path) {
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        // `trainyard gc` may be at it too.
        if let Err(error) = crate::litter::remove(&folder) {
            tracing::warn!(folder = %folder.display(), %error, "a folder could not be deleted");
        }
    });
}
