//! What containers of a dead node leave.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::getuid;

use super::begun::Begun;
use super::cgroups;
use super::order;
use crate::machine::since_boot;
use crate::volume::unmount::clear;

/// How long a program may take to remove something.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks at it.
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
    remove_of_ordinary_user(&own.join("podman"));
    docker && unmounted
}

/// Takes away what podman keeps of the images in `store` while the machine is up. They stay.
pub fn end_store(store: &Path) {
    let short = order::short(store);
    clear(&short);
    clear(store);
    let _ = fs::remove_dir_all(short);
}

/// Files that an ordinary user's podman has made for other users of an image belong to numbers that are this user's in a
/// user namespace alone.
fn remove_of_ordinary_user(storage: &Path) {
    if getuid().is_root() || !storage.exists() || fs::remove_dir_all(storage).is_ok() {
        return;
    }
    let words = ["--user", "--map-root-user", "--map-auto", "rm", "-rf", "--"];
    if !call("unshare", &words, storage) {
        crate::say(format_args!(
            "{} stays; remove it with podman unshare rm -rf",
            storage.display()
        ));
    }
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
    // Without a client the container can only be ended by hand: that must not keep the node for ever.
    if !call(program, &["rm", "--force"], name.as_ref()) {
        crate::say(format_args!(
            "the container {name} may still run; remove it with docker rm --force"
        ));
    }
    Begun::forget(folder);
    true
}

/// Calls a program for something; true when it has ended in time.
fn call(program: impl AsRef<OsStr>, words: &[&str], what: &Path) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "removes something; awaited, and killed when it takes too long"
    )]
    let mut command = Command::new(program);
    let child = command
        .args(words)
        .arg(what)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.is_ok_and(poll_for_end)
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
