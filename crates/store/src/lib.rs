//! The embedded store: SQLite, one writer with group commit, operations and events.

pub mod db;
mod files;
pub mod lock;
pub mod seal;
