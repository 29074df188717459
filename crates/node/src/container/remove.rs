//! The container goes.

use super::begun::Begun;
use super::call::World;
use super::cgroups;
use super::docker;
use super::find::{Runtime, find};
use super::order::Order;
use super::podman::Podman;

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
        }
    }
    if let Some(cgroup) = &order.cgroup {
        cgroups::remove_beneath(cgroup);
    }
    Begun::forget(&order.node);
    Ok("gone".to_owned())
}
