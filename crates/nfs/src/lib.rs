//! Folders of file servers, exported by NFS.
//!
//! An [`Exporter`] looks after one process of nfs-ganesha, an NFS server that needs nothing of the kernel, for all
//! exports. It is told what is wanted ([`Exporter::keep`]), writes that into the program's configuration, has it read
//! anew, and starts the program again when it dies.
//!
//! ```text
//! keep ──▶ thread ──write──▶ ganesha.conf ──SIGHUP──▶ ganesha.nfsd ──its log──▶ "read anew"
//! ```
//!
//! The program holds a lock on its pid file as long as it runs. So whoever has that lock is ours, also when a server that
//! was killed has left it behind: it is ended before another is started, and no two ever run.

mod client;
mod configuration;
mod error;
mod export;
mod exporter;
mod holder;
mod journal;
mod keeper;
mod needs;
mod numbers;
mod process;

pub use client::{BadClient, Client};
pub use error::NfsError;
pub use export::{BadText, Export, ExportPath};
pub use exporter::{Exporter, Settings, end_left};
pub use needs::{Lack, find, lack};

/// A clock for measuring, that never goes back.
pub type Monotonic = std::sync::Arc<dyn Fn() -> std::time::Duration + Send + Sync>;
