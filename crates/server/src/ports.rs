//! What `main` hands in: clock, randomness, store, engine, storage.

use std::sync::Arc;

use jiff::Timestamp;
use trainyard_engine::Engine;
use trainyard_storage::{Accounts, FileServers, LinkKey};
use trainyard_store::Store;
use trainyard_vaults::Fetcher;
use uuid::Uuid;

use crate::sign_in::SignInKey;

/// The time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Now, to the millisecond: what is stored and shown is not finer.
    fn now_in_millis(&self) -> Timestamp {
        let now = self.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// Randomness.
pub trait Random: Send + Sync {
    /// Fills a buffer.
    fn fill(&self, buffer: &mut [u8]);

    /// A random GUID.
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// What the service stands on.
#[derive(Clone)]
pub struct Ports {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The store.
    pub store: Store,
    /// What runs jobs.
    pub engine: Arc<dyn Engine>,
    /// Storage accounts.
    pub accounts: Arc<Accounts>,
    /// Folders of file servers.
    pub file_servers: FileServers,
    /// Fetches secrets of key vaults, where the operator has said how.
    pub vaults: Option<Fetcher>,
    /// Signs download links.
    pub link_key: Arc<LinkKey>,
    /// Signs access tokens.
    pub sign_in_key: Arc<SignInKey>,
}
