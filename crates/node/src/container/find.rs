//! Finding the runtime.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::settings::{Choice, Settings};

/// A program that runs containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// Podman, at this path.
    Podman(PathBuf),
    /// Docker's client, at this path.
    Docker(PathBuf),
}

impl Runtime {
    /// Its program.
    pub fn program(&self) -> &Path {
        match self {
            Runtime::Podman(program) | Runtime::Docker(program) => program,
        }
    }
}

/// Why there is no runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRuntime {
    /// None was found.
    #[error(
        "no container runtime was found on this machine, looked for {looked_for} in {path}; install podman (with runc \
         or crun, and conmon) or docker, or name its program in containers.program"
    )]
    NotFound {
        /// Names looked for.
        looked_for: String,
        /// Folders looked in.
        path: String,
    },
    /// The configured program is not there.
    #[error("{program}, which containers.program names, is not there or cannot be executed")]
    NoProgram {
        /// The program.
        program: PathBuf,
    },
    /// Containers are switched off.
    #[error(
        "this server runs no containers: containers.runtime is none; leave containerSettings out to run the job on the node itself"
    )]
    SwitchedOff,
    /// Docker's daemon would run them on the machine's network.
    #[error(
        "docker runs containers outside of the node, which has a network of its own (local.network is bridge); install \
         podman and set containers.runtime to podman"
    )]
    OtherNetwork,
}

/// The runtime that the settings ask for; `path` is a PATH to look in.
pub fn find(settings: &Settings, path: &str) -> Result<Runtime, NoRuntime> {
    match look_for(settings, path)? {
        Runtime::Docker(_) if settings.own_network => Err(NoRuntime::OtherNetwork),
        found => Ok(found),
    }
}

fn look_for(settings: &Settings, path: &str) -> Result<Runtime, NoRuntime> {
    type Make = fn(PathBuf) -> Runtime;
    let kinds: &[(&str, Make)] = match settings.runtime {
        Choice::Auto => &[("podman", Runtime::Podman), ("docker", Runtime::Docker)],
        Choice::Podman => &[("podman", Runtime::Podman)],
        Choice::Docker => &[("docker", Runtime::Docker)],
        Choice::None => return Err(NoRuntime::SwitchedOff),
    };
    if let Some(program) = &settings.program {
        let is_docker = program
            .file_name()
            .is_some_and(|name| name.to_string_lossy().contains("docker"));
        let make = match kinds {
            [(_, make)] => *make,
            _ if is_docker => Runtime::Docker,
            _ => Runtime::Podman,
        };
        return if executable(program) {
            Ok(make(program.clone()))
        } else {
            Err(NoRuntime::NoProgram {
                program: program.clone(),
            })
        };
    }
    let found = kinds
        .iter()
        .find_map(|(name, make)| Some(make(in_path(name, path)?)));
    found.ok_or_else(|| NoRuntime::NotFound {
        looked_for: kinds
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(" and "),
        path: path.to_owned(),
    })
}

/// A program in a PATH.
pub(super) fn in_path(name: &str, path: &str) -> Option<PathBuf> {
    path.split(':')
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| Path::new(folder).join(name))
        .find(|program| executable(program))
}

fn executable(program: &Path) -> bool {
    fs::metadata(program).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
