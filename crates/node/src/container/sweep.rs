//! What containers of a dead node leave.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::begun::Begun;
use super::cgroups;
use super::order;
use crate::machine::since_boot;
use crate::volume::unmount::clear;

/// How long docker may take to remove a container.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks at its client.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Takes away what is left of the containers of the node in `folder` once nothing of it runs: mounts, what podman keeps
/// while the machine is up, directories in the cgroup trees. True when nothing is left.
pub fn sweep(folder: &Path) -> bool {
    let own = order::folder(folder);
    if !own.exists() {
        return true;
    }
    let _ = fs::remove_dir_all(own.join("login"));
    let docker = end_docker(folder);
    let unmounted = clear(&own);
    let short = order::short(folder);
    clear(&short);
    let _ = fs::remove_dir_all(short);
    cgroups::remove_node(folder);
    docker && unmounted
}

/// Takes away what podman keeps of the images in `store` while the machine is up. They stay.
pub fn end_store(store: &Path) {
    let short = order::short(store);
    clear(&short);
    clear(store);
    let _ = fs::remove_dir_all(short);
}

/// Docker's daemon is outside of the node and goes on with what it had for it.
fn end_docker(folder: &Path) -> bool {
    let Some(Begun {
        name,
        docker: Some(program),
    }) = Begun::read(folder)
    else {
        return true;
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "removes a container; awaited, and killed when it takes too long"
    )]
    let mut command = Command::new(program);
    let client = command
        .args(["rm", "--force", &name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // Without a client the container can only be ended by hand: that must not keep the node for ever.
    let ended = client.is_ok_and(poll_for_end);
    if !ended {
        crate::say(format_args!(
            "the container {name} may still run; remove it with docker rm --force"
        ));
    }
    Begun::forget(folder);
    true
}

#[expect(clippy::disallowed_methods, reason = "a child is waited for with a bound")]
fn poll_for_end(mut client: Child) -> bool {
    let deadline = since_boot() + PATIENCE;
    loop {
        match client.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) if since_boot() < deadline => std::thread::sleep(LOOK_AGAIN),
            Ok(None) | Err(_) => {
                let _ = client.kill();
                let _ = client.wait();
                return false;
            }
        }
    }
}
