//! Taking mounts away at once, whatever still uses them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::mount::{UnmountFlags, unmount};

use crate::errand::Errand;
use crate::mountinfo::{self, Mounted};

/// Longest time for a kernel's client to give up what it waits for.
const FORCE_WITHIN: Duration = Duration::from_secs(30);

/// Takes everything away that is mounted at or beneath `path`. True when nothing is left there.
///
/// Whatever is to be deleted must be asked about here first: what lies beneath a mount is somebody's data.
pub fn clear(path: &Path) -> bool {
    // Several may lie over one another; each round takes at least one away, or ends.
    while let Some(top) = mountinfo::beneath(path).first() {
        if !detach(&top.path) {
            crate::say(format_args!("{} stays mounted", top.path.display()));
            return mountinfo::beneath(path).is_empty();
        }
    }
    true
}

/// Takes away what was mounted beneath `path` since `known` were told by [`mountinfo::beneath`], also where the place of it
/// was renamed.
pub fn clear_since(path: &Path, known: &[Mounted]) {
    for mount in mountinfo::beneath(path) {
        if !known.iter().any(|old| old.id == mount.id) && !detach(&mount.path) {
            crate::say(format_args!("{} stays mounted", mount.path.display()));
        }
    }
}

/// What has the kernel give up whatever waits for the server of a mount.
pub fn forced(at: &Path, environment: &BTreeMap<String, String>) -> Errand {
    Errand {
        name: format!("forced unmount of {}", at.display()),
        arguments: [
            "umount".to_owned(),
            "--force".to_owned(),
            at.display().to_string(),
        ]
        .into(),
        environment: environment.clone(),
        within: FORCE_WITHIN,
    }
}

/// Takes one mount away, by the kernel's call or, without rights of root, by the helper for FUSE.
pub fn detach(path: &Path) -> bool {
    if unmount(path, UnmountFlags::DETACH).is_ok() {
        return true;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "a user's own mounts can be taken away by this helper only"
    )]
    let mut helper = Command::new("fusermount3");
    let ended = helper
        .args(["-u", "-z"])
        .arg(path)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ended.is_ok_and(|status| status.success())
}
