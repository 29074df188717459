//! People who are logged in to a node: their commands, shells and forwarded connections.
//!
//! A node has the socket `login` in its folder, which only the folder's owner can enter. Whoever asks there has let the
//! person in already ([`call`] is their side). The node starts what is asked for beside its jobs, never within one
//! ([`sessions`]), and opens connections as they are seen from where it is ([`connect`]).

mod call;
mod connect;
mod sessions;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use call::{Answer, Call};
pub(crate) use sessions::{Sessions, Surroundings};

/// What is asked of a node, on a connection of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// Run something with the three descriptors that come along as stdin, stdout and stderr. The answer is its exit
    /// code; when the connection closes it is ended, with all that it left.
    Run {
        /// A command line for bash; without one it is a login shell.
        command: Option<String>,
        /// Variables beside the node's own.
        environment: BTreeMap<String, String>,
        /// Whether stdin is a terminal that is to be its own.
        terminal: bool,
    },
    /// Connect to a port, as seen from the node. The answer has the connection's descriptor.
    Connect {
        /// Name or address.
        host: String,
        /// Its port.
        port: u16,
    },
}
