//! How the engine wants containers to be run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How containers are run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Which runtime.
    pub runtime: Choice,
    /// Its program; found in PATH when not given.
    pub program: Option<PathBuf>,
    /// Folder of images in files, which are looked up there first.
    pub images: Option<PathBuf>,
    /// When a registry is asked.
    pub pull: Pull,
    /// Whether the node has a network of its own, of which docker's daemon knows nothing.
    pub own_network: bool,
    /// Folder of the images of all nodes; what each node has for itself lies in its own.
    pub store: PathBuf,
}

/// Which runtime runs containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// Podman where it is found, else Docker.
    #[default]
    Auto,
    /// Podman.
    Podman,
    /// Docker.
    Docker,
    /// None: no job may have a container.
    None,
}

/// When a registry is asked for an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// When it is not here.
    #[default]
    Missing,
    /// For each job.
    Always,
    /// Never.
    Never,
}
