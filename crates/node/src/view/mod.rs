//! What the processes of a node see of the machine, and as whom.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount_bind, unmount};

use crate::isolation::{Account, Isolation, restrict};
use crate::mountinfo::{self, Mounted};
use crate::volume::unmount::clear_since;

mod hands;
mod rights;
mod scratch;
mod sight;
mod target;
mod workers;

pub use scratch::Names;
use scratch::Scratch;
use target::Target;
use workers::Workers;

pub use workers::Doing;

/// What jobs, the setup task and logins see. Everything that has to do with their files and processes is done through
/// it; what belongs to the node alone is not.
#[derive(Debug)]
pub struct View {
    root: PathBuf,
    workers: Workers,
    /// Of an isolated node: a place of its own where mounts are made ready.
    stage: Option<PathBuf>,
    account: Option<Account>,
    scratch: Scratch,
}

impl View {
    /// The machine as it is, with mounts and job directories in `root`.
    pub fn plain(root: PathBuf) -> io::Result<View> {
        Ok(View {
            root,
            workers: Workers::new(workers::plainly())?,
            stage: None,
            account: None,
            scratch: Scratch::default(),
        })
    }

    /// What an isolated node shows. Call it in the node's own namespaces; `folder` is the node's.
    pub fn isolated(isolation: &Isolation, folder: &Path) -> io::Result<View> {
        let stage = folder.join("stage");
        fs::create_dir_all(&stage)?;
        let (workers, mut own) = hands::make(isolation, folder)?;
        own.push(Target::found(&sight::temporary(folder))?);
        Ok(View {
            root: isolation.root.clone(),
            workers,
            stage: Some(stage),
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
        self.stage.as_ref().map(|_| "/tmp")
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

    /// Does something where jobs are and with their rights: whatever paths lead to there, a job may have laid. It must
    /// touch no volume, since the node waits for it.
    pub fn run<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        if self.stage.is_some() {
            self.workers.run(what)
        } else {
            what()
        }
    }

    /// The same for what may touch volumes, and so may take as long as a store does. When it is done, the bell rings.
    pub fn begin<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> Doing<T> {
        self.workers.begin(what)
    }

    /// The same, waited for a moment.
    pub fn within<T: Send + 'static>(
        &self,
        time: Duration,
        what: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Doing<T>> {
        self.workers.within(time, what)
    }

    /// Readable when something that was begun is done.
    pub fn bell(&self) -> &UnixStream {
        self.workers.bell()
    }

    /// Shows a directory at another path: by a mount, on the plain level by a symbolic link. A source is never made
    /// here: the server has made it, and one that is missing since then must not come back empty. Where it is mounted,
    /// no link in its path is followed: a job may have laid it in a share, to see with another job what is not its own.
    /// What is mounted at the source is not asked for anything.
    pub fn show(&self, source: &str, path: &str) -> io::Result<()> {
        let Some(stage) = &self.stage else {
            Target::directory(Path::new(source))?;
            return link(Path::new(source), Path::new(path));
        };
        let source = Target::existing(Path::new(source))?;
        let target = self.target(path)?;
        if target.is_mounted()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // What comes to jobs has its options already: those that are set later stay behind.
        mount_bind(source.path(), stage)?;
        let shown = restrict(stage, MountFlags::empty());
        let shown = shown.and_then(|()| Ok(mount_bind(stage, target.path())?));
        unmount(stage, UnmountFlags::DETACH)?;
        shown
    }

    /// What is shown now.
    pub fn shown(&self) -> Vec<Mounted> {
        mountinfo::beneath(&self.root)
    }

    /// Takes away whatever is shown since then: a job may have renamed the directory that one of its volumes is in.
    pub fn hide_since(&self, shown: &[Mounted]) {
        clear_since(&self.root, shown);
    }

    /// Takes away what [`View::show`] did; only what still is ours.
    pub fn hide(&self, source: &str, path: &str) {
        if self.stage.is_some() {
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

    /// What is mounted is named by the directory above it, since stepping into it would ask its server.
    fn unmount(&self, path: &str) -> io::Result<()> {
        let (Some(above), Some(name)) = (
            path.rsplit_once('/').map(|(above, _)| above),
            Path::new(path).file_name(),
        ) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let above = self.target(above)?;
        match unmount(
            above.path().join(name),
            UnmountFlags::DETACH | UnmountFlags::NOFOLLOW,
        ) {
            // Nothing is mounted there, or nothing is there.
            Err(Errno::INVAL | Errno::NOENT) => Ok(()),
            done => Ok(done?),
        }
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
        let view = View::plain(base.path().to_owned()).unwrap();
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
