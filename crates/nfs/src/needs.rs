//! What exporting takes.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// The program's name.
const PROGRAM: &str = "ganesha.nfsd";
/// What it reaches folders of this machine by.
const BACKEND: &str = "ganesha/libfsalvfs.so";
/// Where systems keep libraries; some have one folder more for the kind of machine.
const LIBRARIES: [&str; 4] = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"];

/// What is missing for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// The NFS server is not installed.
    Program,
    /// The one that the configuration names is not there.
    Named(PathBuf),
    /// A part of it is not installed.
    Backend,
    /// Only root can.
    Root,
}

impl Lack {
    /// What was found.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Lack::Program => "ganesha.nfsd, which exports file servers, was not found in PATH".to_owned(),
            Lack::Named(program) => format!(
                "{}, which nfs.program names, is not there or cannot be executed",
                program.display()
            ),
            Lack::Backend => {
                "ganesha.nfsd is there without libfsalvfs.so, the part of it that exports folders".to_owned()
            }
            Lack::Root => "only root can export file servers: files are opened by their handles".to_owned(),
        }
    }

    /// What to do.
    #[must_use]
    pub fn next(&self) -> &'static str {
        match self {
            Lack::Program => "install nfs-ganesha and nfs-ganesha-vfs, or name the program in nfs.program",
            Lack::Named(_) => "name the NFS server's program, or leave nfs.program out",
            Lack::Backend => "install nfs-ganesha-vfs",
            Lack::Root => "run the server as root, or leave nfs.enabled out",
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.found(), self.next())
    }
}

impl std::error::Error for Lack {}

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
