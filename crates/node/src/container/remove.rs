//! The container goes.

use std::time::Duration;

use rustix::process::getpid;

use super::begun::Begun;
use super::call::World;
use super::cgroups;
use super::docker;
use super::find::{Runtime, find};
use super::order::Order;
use super::podman::Podman;
use crate::machine::{processes, since_boot};

/// How long programs of podman may go on.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two looks at them.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Removes the container that was begun last on the node of the order, with all that runs in it.
pub fn remove(order: &Order, world: &World) -> Result<String, String> {
    let Some(begun) = Begun::read(&order.node) else {
        return Ok("there was none".to_owned());
    };
    match begun.docker {
        Some(program) => {
            let call = docker::call(None, &["rm", "--force", &begun.name]);
            match world.call(&program, &call) {
                Err(said) if !said.contains("No such container") => return Err(said),
                Ok(_) | Err(_) => {}
            }
        }
        None => {
            let runtime = find(&order.settings, world.path()).map_err(|none| none.to_string())?;
            let (Runtime::Podman(program) | Runtime::Docker(program)) = runtime;
            let podman = Podman::node(order, world)
                .map_err(|error| format!("podman's state cannot be used: {error}"))?;
            let call = podman.call(&["rm", "--force", "--ignore", "--time", "0", &begun.name]);
            world.call(&program, &call)?;
            poll_until_alone(&podman);
        }
    }
    if let Some(cgroup) = &order.cgroup {
        cgroups::remove_beneath(cgroup);
    }
    Begun::forget(&order.node);
    Ok("gone".to_owned())
}

/// What watched the container notices its end by itself and has podman tidy up once more, which mounts and unmounts what
/// podman keeps. Only then nothing is left.
#[expect(
    clippy::disallowed_methods,
    reason = "these are no children of ours; bounded by PATIENCE"
)]
fn poll_until_alone(podman: &Podman) {
    let deadline = since_boot() + PATIENCE;
    let another = || {
        processes()
            .into_iter()
            .any(|pid| pid != getpid() && podman.is_used_by(pid))
    };
    while another() && since_boot() < deadline {
        std::thread::sleep(LOOK_AGAIN);
    }
}
