//! The end of all nodes of a folder, without an engine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use trainyard_domain::ids::Uid;
use trainyard_node::container;
use trainyard_node::files::{Folder, StatusFile};
use trainyard_node::look::poke;
use trainyard_node::machine::since_boot;
use trainyard_node::{shared_directories, sweep};

use crate::bridge::Bridge;
use crate::entry::{Life, Process};
use crate::start::{alive, container_store, find, read_status, starting};

/// Why nodes could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The folder cannot be read.
    #[error("the nodes in {folder} cannot be listed; is it the engine's folder?")]
    List {
        /// The folder of all nodes.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something could not be killed in time.
    #[error("processes of {nodes} nodes are still there after {seconds} s; see what they wait for")]
    Left {
        /// How many nodes.
        nodes: usize,
        /// How long was waited.
        seconds: u64,
    },
}

/// Ends all nodes of the engine's folder `root` and everything that they run: each is told to leave, and is
/// killed when that takes longer than `patience`. Their folders stay, so that the next engine knows that they
/// are gone. Says how many nodes ran. A folder without nodes is fine.
pub fn end_all(root: &Path, patience: Duration) -> Result<usize, EndError> {
    let folder = root.join("nodes");
    if !folder.exists() {
        return Ok(0);
    }
    let list = |source| EndError::List {
        folder: folder.clone(),
        source,
    };
    let folder = folder.canonicalize().map_err(list)?;
    let nodes = find(&folder).map_err(list)?;
    let running: Vec<(Uid, Folder, Process)> = nodes
        .iter()
        .filter_map(|(uid, entry)| match &entry.life {
            Life::Running(process) => Some((*uid, entry.folder.clone(), process.clone())),
            Life::Wanted { .. } | Life::Sweeping | Life::Gone => None,
        })
        .collect();
    for (node, folder, _) in &running {
        if let Err(error) = fs::write(folder.leave(), "") {
            tracing::warn!(%node, %error, "a node could not be told to leave and will be killed");
        }
        poke(folder.root());
    }
    let deadline = since_boot() + patience;
    for (_, _, process) in &running {
        if !ends_within(process, deadline.saturating_sub(since_boot())) {
            let _ = pidfd_send_signal(&process.handle, Signal::KILL);
        }
    }
    sweep_all(nodes.values().map(|entry| &entry.folder).collect())?;
    remove_all(&shared_directories(&folder));
    let engine = folder.parent().unwrap_or(&folder);
    Bridge::of(engine, None).remove();
    container::end_store(&container_store(root));
    Ok(running.len())
}

/// The directory that all nodes of a folder share in the cgroup tree. The kernel may count a process as there
/// for a moment after its end was announced.
fn remove_all(directories: &[PathBuf]) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let deadline = since_boot() + PATIENCE;
    for directory in directories {
        while let Err(error) = fs::remove_dir(directory) {
            if error.kind() == io::ErrorKind::NotFound {
                break;
            }
            if since_boot() >= deadline {
                tracing::warn!(directory = %directory.display(), %error, "a directory in the cgroup tree stays");
                break;
            }
            pause();
        }
    }
}

fn pause() {
    let time = Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    let _ = poll(&mut [], Some(&time));
}

fn ends_within(process: &Process, time: Duration) -> bool {
    let mut descriptors = [PollFd::new(&*process.handle, PollFlags::IN)];
    let timeout = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    poll(&mut descriptors, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// Ends what is left of a node whose process is gone: of an isolated one, the other process, within or outside, may still
/// be ending, or may be stopped. True when nothing was found any more; else call it again in a moment.
pub fn end_rest(folder: &Folder, status: Option<&StatusFile>) -> bool {
    if let Some(process) = status.and_then(alive).or_else(|| starting(folder)) {
        let _ = pidfd_send_signal(&process.handle, Signal::KILL);
        return false;
    }
    sweep(folder.root(), status.and_then(|status| status.cgroup.as_deref()))
}

fn sweep_all(mut folders: Vec<&Folder>) -> Result<(), EndError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let deadline = since_boot() + PATIENCE;
    loop {
        folders.retain(|folder| {
            let status = read_status(folder);
            !end_rest(folder, status.as_ref())
        });
        if folders.is_empty() {
            return Ok(());
        }
        if since_boot() >= deadline {
            return Err(EndError::Left {
                nodes: folders.len(),
                seconds: PATIENCE.as_secs(),
            });
        }
        pause();
    }
}
