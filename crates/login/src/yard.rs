//! What doors must be told, and what they tell.

use std::collections::BTreeSet;
use std::net::IpAddr;

use trainyard_domain::ids::Uid;
use trainyard_domain::spec::UserAccountSettings;
use trainyard_node::files::Folder;

/// Whoever knows the nodes. Its calls may wait for a disk; they are made where that is fine.
pub trait Yard: Send + Sync + 'static {
    /// Who is let in at a node; nobody where there is no such node.
    fn account(&self, node: Uid) -> Option<Account>;

    /// Where the node takes requests.
    fn folder(&self, node: Uid) -> Folder;

    /// Writes down that somebody came, and what became of it.
    fn note(&self, note: Note);
}

/// Who is let in at a node.
#[derive(Debug, Clone)]
pub struct Account {
    /// The cluster whose account it is; all its nodes have the same.
    pub cluster: Uid,
    /// The account, with the password.
    pub settings: UserAccountSettings,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Let in.
    LetIn(Way),
    /// Gone after so many keys and passwords that were wrong.
    Refused(u32),
    /// Too many passwords were wrong; for a while none is taken from there.
    Locked,
    /// More were refused since the last note of that node.
    More(Sum),
}

/// Those who were refused at a node, together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// How many connections were refused.
    pub connections: u32,
    /// How many keys and passwords were wrong in them.
    pub tries: u32,
    /// How often somebody was locked out.
    pub locked: u32,
    /// From where; the first of them, where it was from many addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// They came from other addresses as well.
    pub and_others: bool,
}

/// How somebody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a key.
    Key,
    /// By the password.
    Password,
}
