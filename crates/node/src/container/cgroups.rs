//! Directories that runtimes leave in the cgroup trees.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cgroup::remove_empty;
use crate::machine::since_boot;
use crate::mountinfo::mounted;

/// How long a directory may take to be empty.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pause between two looks at it.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Below which directory of every cgroup tree the containers of a node go, beside nothing else.
pub fn parent(node: &Path) -> Option<String> {
    crate::cgroup::name(node).map(|name| format!("/{}/job/container", name.display()))
}

/// Removes what is empty at and below a directory of every tree.
pub fn remove_beneath(parent: &str) {
    for tree in trees() {
        poll_until_removed(&tree.join(parent.trim_start_matches('/')));
    }
}

/// The kernel may count a process as there for a moment after its end was announced.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody says when a directory is empty; bounded by PATIENCE"
)]
fn poll_until_removed(directory: &Path) {
    let deadline = since_boot() + PATIENCE;
    remove_empty(directory);
    while directory.exists() && since_boot() < deadline {
        std::thread::sleep(LOOK_AGAIN);
        remove_empty(directory);
    }
}

/// Removes the directories of a node from all trees in which nothing of it runs any more.
pub fn remove_node(node: &Path) {
    let Some(name) = crate::cgroup::name(node) else {
        return;
    };
    for tree in trees() {
        let own = tree.join(&name);
        poll_until_removed(&own);
        // That of the folder of all nodes goes with the last of them.
        if let Some(all) = own.parent() {
            let _ = fs::remove_dir(all);
        }
    }
}

/// Where the cgroup trees are mounted.
fn trees() -> impl Iterator<Item = PathBuf> {
    let trees = mounted()
        .into_iter()
        .filter(|mount| mount.kind.starts_with("cgroup"));
    trees.map(|mount| mount.path)
}
