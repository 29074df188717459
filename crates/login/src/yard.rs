//! What doors must be told, and what they tell.

use std::net::IpAddr;

use trainyard_domain::ids::Uid;
use trainyard_domain::spec::UserAccountSettings;
use trainyard_node::files::Folder;

/// Whoever knows the nodes. Its calls may wait for a disk; they are made where that is fine.
pub trait Yard: Send + Sync + 'static {
    /// Who is let in at a node, with the password; nobody where there is no such node.
    fn account(&self, node: Uid) -> Option<UserAccountSettings>;

    /// Where the node takes requests.
    fn folder(&self, node: Uid) -> Folder;

    /// Writes down that somebody came, and what became of it.
    fn note(&self, note: Note);
}

/// Somebody came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// To which node.
    pub node: Uid,
    /// From where.
    pub from: IpAddr,
    /// Under which name; of a stranger it may be anything, of at most 64 characters.
    pub user: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of somebody who came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Let in.
    LetIn(Way),
    /// Gone after so many keys and passwords that were wrong.
    Refused(u32),
    /// Too many passwords were wrong; for a while none is taken from there.
    Locked,
}

/// How somebody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a key.
    Key,
    /// By the password.
    Password,
}
