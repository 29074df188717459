//! Isolated nodes: each is process 1 of its own PID, mount, IPC and host name namespaces.
//!
//! Two processes make one node. The outer one ([`threshold`]) makes the namespaces, starts the inner one and waits; the
//! inner one is the node. Whichever dies, the kernel ends everything in the namespaces, mounts included.
//!
//! In the node's own mount namespace all of the machine is there, as the node needs it. What it runs for others is in a
//! second one (see [`crate::view`]).

mod account;
mod network;
mod program;
mod restrict;
mod threshold;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use account::NoAccount;
pub use network::Network;
pub use program::{ask, run};
pub use restrict::restrict;
pub use threshold::{Entered, enter, in_words, probe};

/// Name of the node's program in the directory of tools, where there is an empty file for it.
pub const PROGRAM: &str = "trainyard";

/// Name of the node's own /etc/hosts in its folder.
pub const HOSTS: &str = "hosts";

/// How a node is kept apart from the machine and from other nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Isolation {
    /// Where mounts and job directories appear, the same path on every node. It is there already, and empty.
    pub root: PathBuf,
    /// Folders that jobs must not see, such as the data folder.
    pub hidden: Vec<PathBuf>,
    /// A directory of programs that jobs find at `tools` beneath the root.
    pub tools: Option<PathBuf>,
    /// As whom jobs run; root when not given.
    pub account: Option<Account>,
    /// The bridge on which it has an address of its own; without, the network is the machine's.
    #[serde(default)]
    pub network: Option<Network>,
}

/// An account of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its first group.
    pub gid: u32,
    /// All its groups.
    pub groups: Vec<u32>,
    /// Its home.
    pub home: String,
}
