//! The tables, one file a resource: what is read is a domain value, what is written is one too.

mod access;
mod clusters;
mod events;
mod experiments;
mod file_servers;
mod groups;
mod imports;
mod jobs;
mod meta;
mod nodes;
mod operations;
mod principals;
mod rows;
mod sealed;
mod tree;
mod usage;
mod workspaces;

pub use access::{Role, Token};
pub use clusters::NewCluster;
pub use events::Event;
pub use file_servers::NewFileServer;
pub use imports::{Imported, ImportedKind};
pub use jobs::{LineEntry, NewJob};
pub use operations::{Goal, Operation, OperationStatus};
pub use principals::{Credential, CredentialKind, Principal};
pub(crate) use sealed::SealedPlace;
use trainyard_domain::spec::Secrets;
use trainyard_domain::stored::{self, StoredError};
pub use tree::Page;
pub use usage::CoresInUse;

use crate::db::{self, Migration};
use crate::seal::{KeyRing, SealError};

/// The schema, step by step.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "the first tables",
        sql: include_str!("0001_first.sql"),
    },
    Migration {
        number: 2,
        name: "folders of file servers",
        sql: include_str!("0002_file_servers.sql"),
    },
    Migration {
        number: 3,
        name: "what imports made",
        sql: include_str!("0003_imports.sql"),
    },
    Migration {
        number: 4,
        name: "service principals",
        sql: include_str!("0004_principals.sql"),
    },
];

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database.
    #[error("the store failed")]
    Database(#[from] db::Error),
    /// A stored record.
    #[error("a stored record cannot be used")]
    Record(#[from] StoredError),
    /// A sealed secret.
    #[error("a stored secret cannot be used")]
    Secret(#[from] SealError),
    /// A row that does not say what it must.
    #[error("the row of {what} is damaged; restore the store from a backup")]
    Damaged {
        /// What the row is about.
        what: &'static str,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        StoreError::Database(error.into())
    }
}

/// What a read sees: the store at one moment.
pub struct Snapshot<'a> {
    conn: &'a rusqlite::Connection,
    key: &'a KeyRing,
}

/// A transaction of the writer: it sees what a [`Snapshot`] sees and what it has written itself.
pub struct Tx<'a> {
    snapshot: Snapshot<'a>,
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(conn: &'a rusqlite::Connection, key: &'a KeyRing) -> Snapshot<'a> {
        Snapshot { conn, key }
    }

    /// Fills the secrets of a spec in again.
    fn unseal<T: Secrets>(
        &self,
        spec: &mut T,
        context: &str,
        sealed: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let Some(sealed) = sealed else { return Ok(()) };
        let plain = self.key.open(context.as_bytes(), &sealed)?;
        let mut values: std::collections::BTreeMap<String, String> =
            serde_json::from_slice(&plain).map_err(StoredError::Shape)?;
        spec.secrets(&mut |path, secret| {
            if let Some(value) = values.remove(&path) {
                *secret = trainyard_domain::secret::Secret::new(value);
            }
        });
        Ok(())
    }
}

impl<'a> Tx<'a> {
    pub(crate) fn new(conn: &'a rusqlite::Connection, key: &'a KeyRing) -> Tx<'a> {
        Tx {
            snapshot: Snapshot::new(conn, key),
        }
    }

    /// The stored form of a spec and, apart from it, its secrets sealed for `context`.
    fn seal<T: Secrets + Clone + serde::Serialize>(
        &self,
        spec: &T,
        context: &str,
    ) -> Result<(String, Option<Vec<u8>>), StoreError> {
        let text = stored::write(spec)?;
        let mut values = std::collections::BTreeMap::new();
        spec.clone().secrets(&mut |path, secret| {
            values.insert(path, secret.reveal().to_owned());
        });
        if values.is_empty() {
            return Ok((text, None));
        }
        let plain = serde_json::to_vec(&values).map_err(StoredError::Shape)?;
        Ok((text, Some(self.key.seal(context.as_bytes(), &plain)?)))
    }
}

impl<'a> std::ops::Deref for Tx<'a> {
    type Target = Snapshot<'a>;

    fn deref(&self) -> &Snapshot<'a> {
        &self.snapshot
    }
}
