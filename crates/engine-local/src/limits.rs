//! Which limits of its nodes this machine enforces, told once.

use trainyard_node::cgroup::support;

/// Tells the log.
pub fn say() {
    let mut enforced = Vec::new();
    for (one, found) in support().controllers {
        match found {
            Ok(_) => enforced.push(one.limits()),
            Err(why) => {
                let of = one.limits();
                tracing::warn!(of, %why, "nodes have no limit; `trainyard doctor` says what to do");
            }
        }
    }
    if !enforced.is_empty() {
        tracing::info!(
            of = enforced.join(", "),
            "nodes are held to the limits of their VM size"
        );
    }
}
