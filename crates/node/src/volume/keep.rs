//! What programs have mounted on this node, and for how many.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::launch::{Behind, Mount};
use trainyard_domain::state::BatchAiError;

use super::keeper::{Files, Keeper};
use super::{rclone, unmount};
use crate::fence::Fence;

/// Code of a volume that was there and is not any more.
pub const DIED: &str = "VolumeDied";

/// What programs have mounted on this node.
#[derive(Debug)]
pub struct Keep {
    folder: PathBuf,
    /// The environment of the programs.
    pub environment: BTreeMap<String, String>,
    /// Programs that mount commands may run beside `mount`.
    pub allowed: Vec<String>,
    /// Whose the files of volumes are, user and group, where they have no owners of their own.
    pub owner: Option<(u32, u32)>,
    next: u32,
    kept: BTreeMap<u32, Kept>,
}

/// Something mounted, or about to be.
#[derive(Debug)]
pub struct Kept {
    identity: Option<String>,
    /// Where it is mounted.
    pub at: PathBuf,
    /// Where its first user sees it, for messages.
    pub shown_at: String,
    /// Where all of its users see it, those before too.
    pub seen_at: BTreeSet<PathBuf>,
    /// The program that must run as long as it is mounted.
    pub keeper: Option<Keeper>,
    users: usize,
    told_dead: bool,
    given_up: bool,
}

impl Keep {
    /// A keep that mounts beneath `folder`, which is the node's alone and is made when it is needed.
    pub fn new(
        folder: PathBuf,
        environment: BTreeMap<String, String>,
        allowed: Vec<String>,
        owner: Option<(u32, u32)>,
    ) -> Keep {
        Keep {
            folder,
            environment,
            allowed,
            owner,
            next: 0,
            kept: BTreeMap::new(),
        }
    }

    /// One of them.
    pub fn get(&self, id: u32) -> Option<&Kept> {
        self.kept.get(&id)
    }

    /// All of them.
    pub fn ids(&self) -> Vec<u32> {
        self.kept.keys().copied().collect()
    }

    /// The same thing if it is mounted already; it has one user more then.
    pub fn join(&mut self, mount: &Mount) -> Option<u32> {
        let identity = identity(mount)?;
        let (id, kept) = self
            .kept
            .iter_mut()
            .find(|(_, kept)| kept.identity.as_ref() == Some(&identity) && !kept.is_dead())?;
        kept.users += 1;
        kept.seen_at.insert(PathBuf::from(&mount.path));
        Some(*id)
    }

    /// Makes room for one more, with one user.
    pub fn add(&mut self, mount: &Mount) -> io::Result<u32> {
        let id = self.next;
        self.next += 1;
        let at = self.folder.join(id.to_string());
        let private = || {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.folder)
        };
        private().and_then(|()| fs::create_dir_all(&at))?;
        let kept = Kept {
            identity: identity(mount),
            at,
            shown_at: mount.path.clone(),
            seen_at: BTreeSet::from([PathBuf::from(&mount.path)]),
            keeper: None,
            users: 1,
            told_dead: false,
            given_up: false,
        };
        self.kept.insert(id, kept);
        Ok(id)
    }

    /// Gives it the program that keeps it.
    pub fn set_keeper(&mut self, id: u32, keeper: Keeper) {
        if let Some(kept) = self.kept.get_mut(&id) {
            kept.keeper = Some(keeper);
        }
    }

    /// Where the files of a keeper go.
    pub fn files(&self, id: u32, within: &str) -> Files {
        Files {
            log: self.file(id, "log"),
            cache: self.file(id, "cache"),
            within: PathBuf::from(within.trim_matches('/')),
        }
    }

    /// Writes what a program reads its secrets from.
    pub fn write_key(&self, id: u32, key: &str) -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.key(id))?;
        file.write_all(key.as_bytes())
    }

    /// Where that is.
    pub fn key(&self, id: u32) -> PathBuf {
        self.file(id, "key")
    }

    fn file(&self, id: u32, kind: &str) -> PathBuf {
        self.folder.join(format!("{id}.{kind}"))
    }

    /// One user less. True when it was the last: then it is to be taken away.
    pub fn part(&mut self, id: u32) -> bool {
        let Some(kept) = self.kept.get_mut(&id) else {
            return false;
        };
        kept.users = kept.users.saturating_sub(1);
        kept.users == 0
    }

    /// Takes it away at once, and all that belongs to it. What is still mounted there stays, with everything in it.
    pub fn remove(&mut self, id: u32) {
        let Some(kept) = self.kept.remove(&id) else { return };
        if let Some(keeper) = &kept.keeper {
            keeper.kill();
        }
        let _ = fs::remove_file(self.key(id));
        if !unmount::clear(&kept.at) {
            return crate::say(format_args!("{} is still mounted and stays", kept.at.display()));
        }
        let _ = fs::remove_dir(&kept.at);
        let _ = fs::remove_file(self.file(id, "log"));
        let _ = fs::remove_dir_all(self.file(id, "cache"));
    }

    /// Takes volumes that do not answer from all that wait for them, who see errors then; says where they were seen.
    /// Without its keeper the kernel answers for a volume of rclone, others are asked to be forced.
    pub fn take_from_all(&self, ids: &[u32], fence: &Fence, now: Duration) -> Vec<String> {
        let kept = ids.iter().filter_map(|id| self.kept.get(id));
        let take = |kept: &Kept| {
            match &kept.keeper {
                Some(keeper) => keeper.kill(),
                // It may hang itself, so nobody waits for it.
                None if is_root() => {
                    if let Err(failed) = unmount::forced(&kept.at, &self.environment).start(fence, now) {
                        crate::say(failed);
                    }
                }
                None => {}
            }
            kept.shown_at.clone()
        };
        kept.map(take).collect()
    }

    /// All were waited for, and these in vain: until the next time nobody waits for them again.
    pub fn give_up(&mut self, ids: &[u32]) {
        for (id, kept) in &mut self.kept {
            kept.given_up = ids.contains(id);
        }
    }

    /// Whether one of them has been given up.
    pub fn is_given_up(&self, id: u32) -> bool {
        self.kept.get(&id).is_some_and(|kept| kept.given_up)
    }

    /// Whether one of them has died.
    pub fn is_dead(&self, id: u32) -> bool {
        self.kept.get(&id).is_some_and(Kept::is_dead)
    }

    /// Takes note of processes that have ended.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) {
        for keeper in self.kept.values_mut().filter_map(|kept| kept.keeper.as_mut()) {
            keeper.hear(ended);
        }
    }

    /// Volumes that have died; each is told once.
    pub fn newly_dead(&mut self) -> Vec<BatchAiError> {
        let mut told = Vec::new();
        for kept in self
            .kept
            .values_mut()
            .filter(|kept| kept.is_dead() && !kept.told_dead)
        {
            kept.told_dead = true;
            told.extend(kept.death());
        }
        told
    }

    /// A volume that has died, if there is one.
    pub fn dead(&self) -> Option<BatchAiError> {
        self.kept.values().find_map(Kept::death)
    }
}

impl Kept {
    /// The paths by which processes know a file of it.
    pub fn paths(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let places = self.seen_at.iter().chain([&self.at]);
        places.map(move |place| place.join(name))
    }

    fn is_dead(&self) -> bool {
        self.keeper.as_ref().is_some_and(Keeper::is_over)
    }

    fn death(&self) -> Option<BatchAiError> {
        let keeper = self.keeper.as_ref().filter(|keeper| keeper.is_over())?;
        let message = format!(
            "The volume at {} died: the program that served it has ended. What used it since then saw errors such as \
             \"Transport endpoint is not connected\".",
            self.shown_at
        );
        Some(BatchAiError {
            details: vec![("Info".to_owned(), keeper.last_words())],
            ..BatchAiError::new(DIED, message)
        })
    }
}

/// What makes two volumes the same; those that cannot be shared have none.
fn identity(mount: &Mount) -> Option<String> {
    match &mount.behind {
        Behind::Rclone(remote) => {
            let options = rclone::Options::read(mount.options.as_deref().unwrap_or_default());
            Some(rclone::identity(remote, &options))
        }
        Behind::Cifs(share) => Some(format!("{share:?}")),
        Behind::Nfs(export) => Some(format!("{export:?}")),
        Behind::Source(_) | Behind::Command(_) => None,
    }
}

/// Whether the node may mount as root may.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Takes away whatever a dead node left mounted beneath its folder. True when nothing is.
pub fn sweep(folder: &Path) -> bool {
    unmount::clear(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trainyard_domain::launch::{Asked, NfsExport};

    fn export(path: &str, source: &str) -> Mount {
        Mount {
            path: path.to_owned(),
            behind: Behind::Nfs(NfsExport {
                source: source.to_owned(),
                options: String::new(),
            }),
            asked: Asked::Unsaid,
            options: None,
        }
    }

    #[test]
    fn what_is_the_same_is_mounted_once_and_goes_with_its_last_user() {
        let base = tempfile::tempdir().unwrap();
        let mut keep = Keep::new(base.path().join("volumes"), BTreeMap::new(), Vec::new(), None);
        let (a, b) = (export("/m/a", "h:/x"), export("/m/b", "h:/x"));
        assert_eq!(keep.join(&a), None);
        let id = keep.add(&a).unwrap();
        assert_eq!(keep.join(&b), Some(id));
        assert_eq!(keep.join(&export("/m/c", "h:/y")), None);
        assert!(!keep.part(id));
        assert!(keep.part(id));
        let at = keep.get(id).unwrap().at.clone();
        keep.write_key(id, "hush").unwrap();
        keep.remove(id);
        assert!(!at.exists() && !keep.key(id).exists());
        assert_eq!(fs::read_dir(base.path().join("volumes")).unwrap().count(), 0);
    }

    #[test]
    fn keys_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let base = tempfile::tempdir().unwrap();
        let mut keep = Keep::new(base.path().join("volumes"), BTreeMap::new(), Vec::new(), None);
        let id = keep.add(&export("/m/a", "h:/x")).unwrap();
        keep.write_key(id, "hush").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&keep.key(id)), mode(&base.path().join("volumes"))),
            (0o600, 0o700)
        );
    }
}
