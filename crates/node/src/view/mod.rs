//! What the processes of a node see of the machine, and as whom.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What jobs, the setup task and logins see. Everything that has to do with their files and processes is done through
/// it; what belongs to the node alone is not.
#[derive(Debug)]
pub struct View {
    root: PathBuf,
}

impl View {
    /// The machine as it is, with mounts and job directories in `root`.
    pub fn plain(root: PathBuf) -> View {
        View { root }
    }

    /// Where directories of former jobs go to be deleted. It is beneath the root, so that moving them is a rename.
    pub fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// Does something where jobs are and with their rights: whatever paths lead to there, a job may have laid.
    pub fn run<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        what()
    }

    /// Shows a directory at another path. On the plain level that is a symbolic link.
    pub fn show(&self, source: &str, path: &str) -> io::Result<()> {
        let (source, path) = (PathBuf::from(source), PathBuf::from(path));
        link(&source, &path)
    }

    /// Takes away what [`View::show`] did; only what still is ours.
    pub fn hide(&self, source: &str, path: &str) {
        if is_link(Path::new(source), Path::new(path)) {
            let _ = fs::remove_file(path);
        }
    }
}

fn link(source: &Path, path: &Path) -> io::Result<()> {
    // A source is never made here: the server has made it, and one that is missing since then must not come back empty.
    if !fs::metadata(source)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
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
