//! Calls of docker. Its daemon is outside of the node: what it runs is found again by a label, and ended by name.

use std::path::{Path, PathBuf};

use super::call::Call;
use super::order::Order;

/// Label of containers, with the node's folder as its value.
pub const LABEL: &str = "trainyard.node";

/// A call with the login of the folder `configuration`, if any.
pub fn call<S: AsRef<str>>(configuration: Option<&str>, arguments: &[S]) -> Call {
    let login = configuration.map_or_else(Vec::new, |folder| vec!["--config", folder]);
    Call::new(&login).and(arguments)
}

/// What docker's daemon cannot show: `mounted` is what an isolated node has mounted at and beneath `root`.
pub fn unseen(order: &Order, root: &str, mounted: &[PathBuf]) -> Option<String> {
    let root = Path::new(root);
    let known = |path: &Path| {
        path == root
            || path.starts_with(root.join("tools"))
            || order.shown.iter().any(|(_, shown)| Path::new(shown) == path)
    };
    let first = mounted.iter().find(|path| !known(path))?;
    Some(format!(
        "docker's daemon does not see the volume at {}, which is mounted for this node alone; install podman, or set \
         containers.runtime to podman",
        first.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::order;
    use super::*;

    #[test]
    fn a_volume_that_docker_does_not_see_is_named() {
        let mut order = order();
        order.shown = vec![("/d".to_owned(), "/r/mounts/a".to_owned())];
        let mut mounted = ["/r", "/r/tools", "/r/mounts/a"].map(PathBuf::from).to_vec();
        assert_eq!(unseen(&order, "/r", &mounted), None);
        mounted.push(PathBuf::from("/r/mounts/b"));
        let why = unseen(&order, "/r", &mounted).unwrap();
        assert!(why.contains("/r/mounts/b") && why.contains("podman"), "{why}");
    }
}
