//! What happens on one node: mounts, setup task, preparation, processes, output files, status.
//!
//! A node is a process of its own ([`run`]). It stands in its own session, survives whoever started it, and
//! takes its orders from its folder and nowhere else ([`files`]): what is wanted lies there as files, what
//! became of it is written there. Its socket only says "look". A node is started once in its life: when it
//! dies it is gone, and whoever started it ends what it left ([`sweep`]).

pub mod cgroup;
pub mod files;
pub mod isolation;
pub mod look;
pub mod machine;

mod alive;
mod attempt;
mod caps;
mod commands;
pub mod container;
mod descriptors;
mod environment;
mod errand;
mod fence;
mod first_to_die;
mod journal;
mod log;
pub mod login;
mod mountinfo;
mod node;
mod place;
mod process;
pub mod remote;
mod signals;
mod sweep;
mod verdict;
mod view;
mod volume;
mod volumes;
pub mod wanted;

pub use caps::disk_bytes;
pub use cgroup::shared_directories;
pub use node::{NodeError, run};
pub use sweep::sweep;

use log::say;
