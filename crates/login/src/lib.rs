//! Remote login: SSH to nodes.
//!
//! Each node has a *door*, a port of its own, since its address and port must name it. A door lets in whom the node's
//! cluster names, by key or password, and hands what they ask for (commands, shells, forwarded ports) to the node
//! ([`trainyard_node::login`]). Nothing runs here, and nothing is known here but what the [`Yard`] tells.
//!
//! An idle door is a socket and a task, without a thread.

mod account;
mod connection;
mod descriptor;
mod doors;
mod flow;
mod forward;
mod guest;
mod host_key;
mod limits;
mod refusals;
mod room;
mod session;
mod terminal;
mod yard;

pub use doors::Doors;
pub use host_key::{HostKey, HostKeyError};
pub use limits::Limits;
pub use yard::{Account, Note, Outcome, Sum, Way, Yard};
