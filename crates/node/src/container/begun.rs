//! The note that a container may be there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::find::Runtime;
use super::order;

/// A container that may be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// Its name.
    pub name: String,
    /// Docker's client, if docker has it: its daemon keeps it whatever becomes of the node.
    pub docker: Option<PathBuf>,
}

impl Begun {
    /// Notes a container of the node in the folder `node`.
    pub fn note(node: &Path, name: &str, runtime: &Runtime) -> io::Result<()> {
        let docker = match runtime {
            Runtime::Docker(program) => Some(program.clone()),
            Runtime::Podman(_) => None,
        };
        let begun = Begun {
            name: name.to_owned(),
            docker,
        };
        fs::write(path(node), serde_json::to_vec(&begun)?)
    }

    /// The note, if there is one.
    pub fn read(node: &Path) -> Option<Begun> {
        serde_json::from_slice(&fs::read(path(node)).ok()?).ok()
    }

    /// It is gone.
    pub fn forget(node: &Path) {
        let _ = fs::remove_file(path(node));
    }
}

fn path(node: &Path) -> PathBuf {
    order::folder(node).join("begun.json")
}
