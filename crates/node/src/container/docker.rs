//! Calls of docker. Its daemon is outside of the node: what it runs is found again by a label, and ended by name.

use super::call::Call;
use super::order::Order;

/// Label of containers, with the node's folder as its value.
pub const LABEL: &str = "trainyard.node";

/// A call with the login of the folder `configuration`, if any.
pub fn call<S: AsRef<str>>(configuration: Option<&str>, arguments: &[S]) -> Call {
    let login = configuration.map_or_else(Vec::new, |folder| vec!["--config", folder]);
    Call::new(&login).and(arguments)
}

/// What docker cannot show: a volume that is mounted for the node alone.
pub fn unseen(order: &Order, mounted: &[String]) -> Option<String> {
    let beneath = |path: &&String| {
        order
            .directories
            .iter()
            .any(|directory| path.starts_with(directory.as_str()))
    };
    let first = mounted.iter().find(beneath)?;
    Some(format!(
        "docker's daemon does not see the volume at {first}, which is mounted for this node alone; install podman, or \
         set containers.runtime to podman"
    ))
}
