//! What the node wants of its errands about a container, in a file that only its owner reads.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::getuid;
use serde::{Deserialize, Serialize};
use trainyard_domain::ids::GpuId;
use trainyard_domain::launch::Container;

use super::settings::Settings;
use crate::cgroup::fnv;

/// Where the folder that node and container share is in the container.
pub const INSIDE: &str = "/.trainyard/run";

/// A container that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// How containers are run.
    pub settings: Settings,
    /// The container.
    pub container: Container,
    /// Its name.
    pub name: String,
    /// The node's folder.
    pub node: PathBuf,
    /// By which its processes are known (see `fence`).
    pub mark: String,
    /// Directories that appear in it at the same path.
    pub directories: BTreeSet<String>,
    /// The same where only the machine's own mounts are seen, as docker's daemon sees them: source and path.
    pub shown: Vec<(String, String)>,
    /// Where mounts and job directories are, if the node is isolated.
    pub isolated: Option<String>,
    /// The node's GPUs.
    pub gpus: Vec<GpuId>,
    /// Below which directory of the cgroup trees it goes; `None` leaves that to the runtime.
    pub cgroup: Option<String>,
}

impl Order {
    /// What the node has for its containers.
    pub fn folder(&self) -> PathBuf {
        folder(&self.node)
    }

    /// What node and container share.
    pub fn inside(&self) -> PathBuf {
        self.folder().join("inside")
    }

    /// The image's id, once it is here.
    pub fn image(&self) -> PathBuf {
        self.folder().join("image")
    }
}

/// What the node in the folder `node` has for its containers.
pub fn folder(node: &Path) -> PathBuf {
    node.join("container")
}

/// A short path of a folder's own for what podman keeps while the machine is up: it wants no more than 50 bytes.
pub fn short(folder: &Path) -> PathBuf {
    let name = format!("{:016x}", fnv(folder.as_os_str().as_encoded_bytes()));
    short_root().join(name)
}

fn short_root() -> PathBuf {
    match getuid() {
        root if root.is_root() => PathBuf::from("/run/trainyard"),
        user => PathBuf::from(format!("/tmp/trainyard-{}", user.as_raw())),
    }
}

/// Makes [`short`] of a folder. In a directory that everybody may write to, nobody else may have made it.
pub fn make_short(folder: &Path) -> io::Result<PathBuf> {
    let root = short_root();
    make_private(&root)?;
    let found = fs::symlink_metadata(&root)?;
    if !found.is_dir() || found.uid() != getuid().as_raw() {
        return Err(io::Error::other(format!(
            "{} belongs to somebody else",
            root.display()
        )));
    }
    let path = short(folder);
    make_private(&path)?;
    Ok(path)
}

/// Makes a directory, with those above it, for its owner only.
pub fn make_private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
