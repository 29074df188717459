//! The joint between this command and the rooms it runs: the server, the node process, the store's files.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::config::Config;

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nodes and jobs go on without it.
    JobsGoOn,
    /// Nodes and jobs end with it.
    NodesToo,
}

/// A server in this process.
pub struct Running {
    /// Where it listens, as a URL.
    pub url: String,
    /// Moves it; ends when it has failed, or has been told to end and is closed.
    pub serving: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>,
    /// Tells it to end.
    pub ending: oneshot::Sender<Ending>,
}

impl Running {
    /// Ends it and waits until it is closed.
    pub async fn end(self, how: Ending) -> anyhow::Result<()> {
        // Where the server has ended by itself nobody listens any more, and `serving` says why.
        let _ = self.ending.send(how);
        self.serving.await
    }
}

/// Starts the server: listening and ready when this returns.
pub async fn start(config: &Config) -> anyhow::Result<Running> {
    bail!("this build holds no server for {}", config.data().display())
}

/// The directory behind a file share of the built-in storage, made if it is missing.
pub fn share_directory(config: &Config, account: &str, share: &str) -> anyhow::Result<PathBuf> {
    let own = config
        .storage_accounts
        .get(account)
        .map(|account| account.directory.clone());
    let root = own.unwrap_or_else(|| config.data().join("storage").join(account));
    let directory = root.join("files").join(share);
    std::fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    Ok(directory)
}

/// Runs a node to its end.
pub fn node(folder: &Path) -> anyhow::Result<()> {
    bail!("this build holds no node process for {}", folder.display())
}

/// Copies what a data folder holds into an empty folder.
pub fn backup(data: &Path, to: &Path) -> anyhow::Result<()> {
    bail!("this build cannot copy {} to {}", data.display(), to.display())
}

/// The way back, into an empty data folder.
pub fn restore(from: &Path, data: &Path) -> anyhow::Result<()> {
    bail!(
        "this build cannot restore {} from {}",
        data.display(),
        from.display()
    )
}

/// Resolves at SIGTERM or Ctrl-C, from now on.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
