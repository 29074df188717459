//! The embedded store: SQLite, one writer with group commit, operations and events.
//!
//! [`Store`] is what the server sees: domain values read in a [`Snapshot`] and written in a [`Tx`]. No SQL
//! leaves this crate, and nothing waits for an engine or the network inside a transaction.

pub mod db;
mod files;
pub mod lock;
mod rotate;
pub mod seal;
mod store;
mod tables;

pub use rotate::{RotateError, Rotated};
pub use store::Store;
pub use tables::{
    CoresInUse, Credential, CredentialKind, Event, Goal, Imported, ImportedKind, LineEntry, MIGRATIONS,
    NewCluster, NewFileServer, NewJob, Operation, OperationStatus, Page, Principal, Role, Snapshot,
    StoreError, Token, Tx,
};
