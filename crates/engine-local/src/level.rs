//! Which level nodes of this machine can have.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use trainyard_node::isolation;

/// Where mounts and job directories are on every isolated node, as on nodes of the original service (behaviour.md
/// section 7).
pub const ROOT: &str = "/mnt/batch/tasks/shared/LS_root";

/// Why nodes cannot be isolated here.
#[derive(Debug, thiserror::Error)]
pub enum NotIsolated {
    /// Only root may make namespaces.
    #[error("it takes root; run the server as root for isolated nodes")]
    NotRoot,
    /// The kernel refuses or lacks namespaces.
    #[error("namespaces cannot be made here ({0}); a container without privileges, or a kernel before 5.8?")]
    Namespaces(#[source] io::Error),
    /// The root of nodes cannot be made.
    #[error("the directory {ROOT} cannot be made; make it, empty")]
    Root(#[source] io::Error),
    /// What has to be hidden holds the root of nodes.
    #[error("{0} holds {ROOT}, where nodes show their mounts; use another data folder")]
    Hidden(PathBuf),
}

/// Whether nodes can be isolated here, with these folders hidden from their jobs. Makes the directory in which each node
/// shows its mounts and jobs, if it is missing.
pub fn isolation_here(hidden: &[PathBuf]) -> Result<(), NotIsolated> {
    if !rustix::process::geteuid().is_root() {
        return Err(NotIsolated::NotRoot);
    }
    let root = Path::new(ROOT);
    if let Some(above) = hidden.iter().find(|folder| root.starts_with(folder)) {
        return Err(NotIsolated::Hidden(above.clone()));
    }
    fs::create_dir_all(root).map_err(NotIsolated::Root)?;
    isolation::probe().map_err(NotIsolated::Namespaces)
}
