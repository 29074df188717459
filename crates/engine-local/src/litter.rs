//! What lies about in an engine's folder and may be needed no more. Rules are the caller's: here is what is there, and
//! how it goes without harm to what runs.
//!
//! Names tell what is ours; a link of such a name is not, and is never followed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_node::files::{Folder, StatusFile};
use trainyard_node::look::poke;
use trainyard_node::sweep;

use crate::start::{DISCARDED, alive, read_status, starting};

/// The folder of an engine, looked at beside it or without it.
#[derive(Debug, Clone)]
pub struct Litter {
    root: PathBuf,
}

impl Litter {
    /// That of the engine in `root`.
    pub fn new(root: &Path) -> Litter {
        Litter {
            root: root.to_owned(),
        }
    }

    /// Folders of nodes that were released. They are deleted at once, unless the server ends meanwhile.
    ///
    /// # Errors
    /// The system's.
    pub fn released(&self) -> io::Result<Vec<PathBuf>> {
        let folders = directories(&self.root.join("nodes"))?;
        let is_released = |name: &str| {
            name.strip_prefix(DISCARDED)
                .is_some_and(|uid| uid.parse::<i64>().is_ok())
        };
        Ok(folders
            .into_iter()
            .filter(|(name, _)| is_released(name))
            .map(|(_, path)| path)
            .collect())
    }

    /// Folders of nodes that were not, with their uids.
    ///
    /// # Errors
    /// The system's.
    pub fn nodes(&self) -> io::Result<Vec<(Uid, PathBuf)>> {
        let folders = directories(&self.root.join("nodes"))?;
        let of = |(name, path): (String, PathBuf)| Some((Uid(name.parse().ok()?), path));
        Ok(folders.into_iter().filter_map(of).collect())
    }

    /// Directories that the nodes of an attempt share.
    ///
    /// # Errors
    /// The system's.
    pub fn shared(&self) -> io::Result<Vec<(PlacementId, PathBuf)>> {
        let folders = directories(&self.root.join("shared"))?;
        let of = |(name, path): (String, PathBuf)| Some((name.parse().ok()?, path));
        Ok(folders.into_iter().filter_map(of).collect())
    }

    /// Whether any node still has to do with an attempt.
    ///
    /// # Errors
    /// The system's.
    pub fn is_wanted(&self, placement: PlacementId) -> io::Result<bool> {
        let mut nodes = self.nodes()?.into_iter();
        Ok(nodes.any(|(_, path)| Folder::new(path).plan(placement).exists()))
    }

    /// Files that were being written when their writer died; those that `is_old` says are not being written.
    ///
    /// # Errors
    /// The system's.
    pub fn drafts(&self, is_old: &dyn Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for (_, node) in self.nodes()? {
            for folder in [node.join("wanted"), node] {
                let entries = fs::read_dir(folder).into_iter().flatten().flatten();
                let drafts = entries.filter(|entry| {
                    let name = entry.file_name();
                    name.to_str()
                        .is_some_and(|name| name.starts_with('.') && name.ends_with(".json.new"))
                });
                found.extend(drafts.map(|entry| entry.path()).filter(|path| is_old(path)));
            }
        }
        Ok(found)
    }
}

/// Whether a node has a process, or may be about to have one.
pub fn is_alive(node: &Path) -> bool {
    let folder = Folder::new(node);
    match read_status(&folder) {
        Some(status) => alive(&status).is_some(),
        None => starting(&folder).is_some(),
    }
}

/// The directory of jobs of a node that has none running: what is in it is of a job that is over.
pub fn idle_jobs(node: &Path) -> Option<PathBuf> {
    let folder = Folder::new(node);
    let idle = |status: &StatusFile| {
        status
            .placements
            .iter()
            .all(|placement| placement.ended.is_some())
    };
    let wants_nothing = fs::read_dir(folder.wanted()).is_ok_and(|mut wanted| wanted.next().is_none());
    let status = read_status(&folder)?;
    (wants_nothing && idle(&status) && alive(&status).is_some()).then(|| folder.jobs())
}

/// Asks a node to remove what the last job left. It does so unless another one has begun.
///
/// # Errors
/// The system's.
pub fn ask_to_tidy(node: &Path) -> io::Result<()> {
    fs::write(Folder::new(node).tidy(), "")?;
    poke(node);
    Ok(())
}

/// Removes the folder of a node that has no process any more, once nothing that it started is left; `false` when
/// something is.
///
/// # Errors
/// The system's.
pub fn remove_dead(node: &Path) -> io::Result<bool> {
    let cgroup = read_status(&Folder::new(node)).and_then(|status| status.cgroup);
    if is_alive(node) || !sweep(node, cgroup.as_deref()) {
        return Ok(false);
    }
    remove(node)?;
    Ok(true)
}

/// Deletes a directory with all that is in it; links in it are removed, not followed. One that is gone is fine: somebody
/// else deleted it.
///
/// # Errors
/// The system's.
pub fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Directories in `folder` by name; none where it is missing. Links are none.
fn directories(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_directories_of_our_names_are_found() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        let litter = Litter::new(base.path());
        assert!(litter.released().unwrap().is_empty() && litter.shared().unwrap().is_empty());
        for folder in [
            "nodes/gone-7",
            "nodes/gone-x",
            "nodes/8/wanted",
            "nodes/other",
            "shared/3-1",
            "shared/x",
            "precious",
        ] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for link in ["nodes/gone-9", "nodes/10", "shared/4-1"] {
            symlink(at("precious"), at(link)).unwrap();
        }
        fs::write(at("nodes/gone-11"), "a file").unwrap();
        fs::write(at("nodes/8/wanted/3-1.json"), "").unwrap();
        assert_eq!(litter.released().unwrap(), [at("nodes/gone-7")]);
        assert_eq!(litter.nodes().unwrap(), [(Uid(8), at("nodes/8"))]);
        let three: PlacementId = "3-1".parse().unwrap();
        assert_eq!(litter.shared().unwrap(), [(three, at("shared/3-1"))]);
        assert!(litter.is_wanted(three).unwrap());
        assert!(!litter.is_wanted("4-1".parse().unwrap()).unwrap());
    }

    #[test]
    fn what_links_lead_to_stays() {
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        fs::create_dir_all(at("precious")).unwrap();
        fs::write(at("precious/file"), "1").unwrap();
        fs::create_dir_all(at("nodes/7/root/jobs")).unwrap();
        symlink(at("precious"), at("nodes/7/root/jobs/link")).unwrap();
        assert!(!is_alive(&at("nodes/7")));
        assert!(remove_dead(&at("nodes/7")).unwrap());
        assert!(!at("nodes/7").exists() && at("precious/file").exists());
        remove(&at("nodes/7")).unwrap();
    }

    #[test]
    fn drafts_are_found_by_name_and_age() {
        let base = tempfile::tempdir().unwrap();
        let wanted = base.path().join("nodes/7/wanted");
        fs::create_dir_all(&wanted).unwrap();
        for name in [".3-1.json.new", "3-1.json", "x.new"] {
            fs::write(wanted.join(name), "").unwrap();
        }
        let litter = Litter::new(base.path());
        assert_eq!(litter.drafts(&|_| true).unwrap(), [wanted.join(".3-1.json.new")]);
        assert!(litter.drafts(&|_| false).unwrap().is_empty());
    }
}
