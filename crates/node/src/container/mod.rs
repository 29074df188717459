//! The container of a job on this node (`docs/containers.md`).
//!
//! One container an attempt, in which nothing runs at first but a program of ours ([`inside`]). What the job runs is
//! started by that, over a socket in a folder which node and container share: so its stdout and stderr are the files
//! themselves, its exit code comes back as it is, and no runtime is asked for anything while the job runs. The runtime
//! is asked three times: for the image ([`pull`]), for the container ([`start`]), and to remove it ([`remove`]). Each is
//! an errand of the node: this program once more, with an [`Order`] in a file, which may wait as long as it likes.
//!
//! With podman every node has its own state, since process numbers in it mean nothing outside the node; images are in
//! one store that all nodes of the engine read.

mod archive;
mod begun;
mod call;
mod cgroups;
mod docker;
mod find;
mod garbage;
mod gpus;
mod inside;
mod life;
mod loader;
mod main;
mod order;
mod podman;
mod pull;
mod registry;
mod remove;
mod settings;
mod start;
mod sweep;
#[cfg(test)]
mod tests;
mod usage;

pub use find::{NoRuntime, Runtime, find};
pub use garbage::{Spare, What, spare};
pub(crate) use life::{Contained, Site};
pub use main::main;
pub use settings::{Choice, Pull, Settings};
pub use sweep::end_store;
pub(crate) use sweep::sweep;
