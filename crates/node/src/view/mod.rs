//! What the processes of a node see of the machine, and as whom.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, mount_bind, unmount};

use crate::isolation::{Account, Isolation};

mod hands;
mod rights;
mod scratch;
mod sight;
mod target;

use hands::Hands;
pub use scratch::Names;
use scratch::Scratch;
use target::Target;

/// What jobs, the setup task and logins see. Everything that has to do with their files and processes is done through
/// it; what belongs to the node alone is not.
#[derive(Debug)]
pub struct View {
    root: PathBuf,
    hands: Option<Hands>,
    account: Option<Account>,
    scratch: Scratch,
}

impl View {
    /// The machine as it is, with mounts and job directories in `root`.
    pub fn plain(root: PathBuf) -> View {
        View {
            root,
            hands: None,
            account: None,
            scratch: Scratch::default(),
        }
    }

    /// What an isolated node shows. Call it in the node's own namespaces; `folder` is the node's.
    pub fn isolated(isolation: &Isolation, folder: &Path) -> io::Result<View> {
        let (hands, mut own) = Hands::new(isolation, folder)?;
        own.push(Target::found(&sight::temporary(folder))?);
        Ok(View {
            root: isolation.root.clone(),
            hands: Some(hands),
            account: isolation.account.clone(),
            scratch: Scratch::new(own, folder),
        })
    }

    /// As whom jobs run, where that is not as this process.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Where jobs lay temporary files that are the node's own, and no other's.
    pub fn temporary(&self) -> Option<&'static str> {
        self.hands.as_ref().map(|_| "/tmp")
    }

    /// What lies there, and in memory, before a job begins.
    pub fn lying_about(&self) -> Names {
        self.scratch.names()
    }

    /// Takes away what a job left there, known by `name`: all that was not there before.
    pub fn clear(&self, before: &Names, name: &str) {
        self.scratch.clear(before, name);
    }

    /// Where directories of former jobs go to be deleted. It is beneath the root, so that moving them is a rename.
    pub fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// Does something where jobs are and with their rights: whatever paths lead to there, a job may have laid.
    pub fn run<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        match &self.hands {
            Some(hands) => hands.run(what),
            None => what(),
        }
    }

    /// Shows a directory at another path: by a mount, on the plain level by a symbolic link. A source is never made
    /// here: the server has made it, and one that is missing since then must not come back empty. Where it is mounted,
    /// no link in its path is followed: a job may have laid it in a share, to see with another job what is not its own.
    pub fn show(&self, source: &str, path: &str) -> io::Result<()> {
        if !fs::metadata(source)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if self.hands.is_none() {
            return link(Path::new(source), Path::new(path));
        }
        let source = Target::existing(Path::new(source))?;
        let target = self.target(path)?;
        if target.is_mounted()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(mount_bind(source.path(), target.path())?)
    }

    /// Takes away what [`View::show`] did; only what still is ours.
    pub fn hide(&self, source: &str, path: &str) {
        if self.hands.is_some() {
            if let Err(error) = self.unmount(path) {
                crate::say(format_args!("{path} cannot be unmounted: {error}"));
            }
        } else if is_link(Path::new(source), Path::new(path)) {
            let _ = fs::remove_file(path);
        }
    }

    /// The directory at a path beneath the root, made if missing, with no link on the way that a job may have laid.
    fn target(&self, path: &str) -> io::Result<Target> {
        let beneath = Path::new(path).strip_prefix(&self.root);
        let beneath = beneath.map_err(|_| io::Error::other("it is not beneath the node's root"))?;
        Target::make(&self.root, beneath, self.account())
    }

    fn unmount(&self, path: &str) -> io::Result<()> {
        let target = self.target(path)?;
        if target.is_mounted()? {
            unmount(target.path(), UnmountFlags::DETACH)?;
        }
        Ok(())
    }
}

fn link(source: &Path, path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match symlink(source, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_link(source, path) => Ok(()),
        done => done,
    }
}

fn is_link(source: &Path, path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target == source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_shown_and_refused_where_something_else_is() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name).display().to_string();
        let view = View::plain(base.path().to_owned());
        assert!(view.show(&at("a"), &at("m/x")).is_err());
        assert!(!base.path().join("a").exists(), "a missing source stays missing");
        fs::create_dir_all(at("a")).unwrap();
        fs::create_dir_all(at("b")).unwrap();
        view.show(&at("a"), &at("m/x")).unwrap();
        view.show(&at("a"), &at("m/x")).unwrap();
        fs::write(at("a/f"), "1").unwrap();
        assert_eq!(fs::read_to_string(at("m/x/f")).unwrap(), "1");
        assert!(view.show(&at("b"), &at("m/x")).is_err());
        view.hide(&at("b"), &at("m/x"));
        assert!(Path::new(&at("m/x")).exists(), "another's stays");
        view.hide(&at("a"), &at("m/x"));
        assert!(!Path::new(&at("m/x")).exists());
        assert!(Path::new(&at("a/f")).exists());
    }
}
