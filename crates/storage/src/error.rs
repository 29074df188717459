//! What can go wrong with stored files.

use std::io;

use rustix::io::Errno;

use crate::{AccountName, BadPath, Place};

/// Stands for an account that no directory of this machine belongs to.
pub(crate) const ELSEWHERE: Errno = Errno::REMOTE;

/// Why a directory or file could not be had. Texts name places within storage only, never the machine's
/// paths, and can be shown to users.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The path asked for cannot lie beneath the share.
    #[error(transparent)]
    BadPath(#[from] BadPath),
    /// A symbolic link on the way leads out of the share, or links run in circles.
    #[error("{0} cannot be used: a symbolic link on the way leads out of the share; copy what it points to")]
    Outside(Place),
    /// There is no such file.
    #[error("{0} does not exist: list its directory to see what does")]
    NotFound(Place),
    /// A file was asked for and something else is there.
    #[error("{0} is not a regular file: ask for a file")]
    NotAFile(Place),
    /// A directory was asked for and something else is there.
    #[error("{0} is not a directory: ask for a directory")]
    NotADirectory(Place),
    /// The account is in a store of its own, and this machine has no directory of it.
    #[error("{0} is not on this machine: list its directory again for a link to where it is")]
    Elsewhere(Place),
    /// The store of the account gives no answer.
    #[error(
        "{place} cannot be had, since the store at {store} is not reached: {why}; try again later, and ask the \
         operator if it stays so"
    )]
    Unreachable {
        /// What was wanted.
        place: Place,
        /// The address of the store.
        store: Box<str>,
        /// What happened.
        why: Box<str>,
    },
    /// The store of the account does not do what it is asked.
    #[error(
        "{place} cannot be had, since the store at {store} answers {said}: the operator must look at the account's \
         key and settings"
    )]
    Refused {
        /// What was wanted.
        place: Place,
        /// The address of the store.
        store: Box<str>,
        /// Its answer.
        said: Box<str>,
    },
    /// The account has no key here, and none that came with a request can be used.
    #[error("the storage account {account} has no key of its own, and that of the job cannot be used: {why}")]
    NoKey {
        /// The account.
        account: AccountName,
        /// What is wrong with the other.
        why: Box<str>,
    },
    /// The file system failed.
    #[error("{doing} {place} failed on the server: its file system must be looked at")]
    Io {
        /// What was done: "listing", "opening" or "making".
        doing: &'static str,
        /// Where.
        place: Place,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl StorageError {
    /// The error for what the kernel said at `place`.
    pub(crate) fn at(place: &Place, doing: &'static str, errno: Errno) -> Self {
        let place = place.clone();
        match errno {
            Errno::XDEV | Errno::LOOP => Self::Outside(place),
            ELSEWHERE => Self::Elsewhere(place),
            Errno::NOENT => Self::NotFound(place),
            Errno::NOTDIR => Self::NotADirectory(place),
            other => Self::Io {
                doing,
                place,
                source: other.into(),
            },
        }
    }
}
