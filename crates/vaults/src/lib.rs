//! Secrets of key vaults.
//!
//! A [`Vaults`] knows how one is had: from a folder that something else keeps filled, or by a command that prints it. A
//! [`Fetcher`] does that on a few threads of its own, so that whoever asks never waits for a slow vault. What is fetched
//! is handed to who asked and kept nowhere. Nothing secret is on a command line, in a log or in an error.

mod command;
mod error;
mod fetcher;
mod folder;
mod retries;
mod vaults;

pub use error::FetchError;
pub use fetcher::{Done, Fetched, Fetcher};
pub use retries::Retries;
pub use vaults::{Settings, Vaults};

/// A clock for measuring, that never goes back.
pub type Monotonic = std::sync::Arc<dyn Fn() -> std::time::Duration + Send + Sync>;
