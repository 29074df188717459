//! What exporting takes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The program's name.
const PROGRAM: &str = "ganesha.nfsd";
/// What it reaches folders of this machine by.
const BACKEND: &str = "ganesha/libfsalvfs.so";
/// Where systems keep libraries; some have one folder more for the kind of machine.
const LIBRARIES: [&str; 4] = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"];

/// What is missing for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// The NFS server is not installed.
    #[error(
        "file servers can be exported only by nfs-ganesha, and ganesha.nfsd was not found in PATH: install nfs-ganesha and nfs-ganesha-vfs, or name its program in nfs.program"
    )]
    Program,
    /// The one that the configuration names is not there.
    #[error("{}, which nfs.program names, is not there or cannot be executed", .0.display())]
    Named(PathBuf),
    /// A part of it is not installed.
    #[error(
        "nfs-ganesha is here without the part that exports folders, libfsalvfs.so: install nfs-ganesha-vfs"
    )]
    Backend,
    /// Only root can.
    #[error(
        "file servers can be exported only by a server that runs as root: the NFS server opens files by their handles"
    )]
    Root,
}

/// The program that `named` names, else that in `path`, a PATH, or beside the system's own.
///
/// # Errors
/// What is missing, the first thing.
pub fn find(named: Option<&Path>, path: &str) -> Result<PathBuf, Lack> {
    let program = match named {
        Some(named) if is_program(named) => named.to_owned(),
        Some(named) => return Err(Lack::Named(named.to_owned())),
        None => {
            let everywhere = path.split(':').chain(["/usr/bin", "/usr/sbin"]);
            let mut places = everywhere.filter(|folder| folder.starts_with('/'));
            let found =
                places.find_map(|folder| Some(Path::new(folder).join(PROGRAM)).filter(|p| is_program(p)));
            found.ok_or(Lack::Program)?
        }
    };
    match lack(named.is_none()) {
        Some(lack) => Err(lack),
        None => Ok(program),
    }
}

/// What is missing beside the program. Where the libraries of one that the system did not install are, only it knows.
#[must_use]
pub fn lack(by_system: bool) -> Option<Lack> {
    if by_system && !has_backend() {
        return Some(Lack::Backend);
    }
    (!rustix::process::geteuid().is_root()).then_some(Lack::Root)
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn has_backend() -> bool {
    LIBRARIES.iter().any(|folder| {
        let deeper = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut folders = deeper.map(|entry| entry.path()).chain([PathBuf::from(folder)]);
        folders.any(|folder| folder.join(BACKEND).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_named_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let named = folder.path().join("ganesha");
        assert_eq!(find(Some(&named), ""), Err(Lack::Named(named.clone())));
        fs::write(&named, "#!/bin/sh\n").unwrap();
        assert_eq!(find(Some(&named), ""), Err(Lack::Named(named.clone())));
        fs::set_permissions(&named, fs::Permissions::from_mode(0o755)).unwrap();
        let expected = match lack(false) {
            Some(lack) => Err(lack),
            None => Ok(named.clone()),
        };
        assert_eq!(find(Some(&named), ""), expected);
    }
}
