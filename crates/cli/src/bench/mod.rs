//! `trainyard bench`: a server's figures beside bare ones of the same run on the same machine.

mod bare;
mod child;
mod container;
mod gang;
mod load;
mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use trainyard_client::{Client, Endpoint};

use child::Own;
pub use container::ContainerReport;
pub use gang::GangReport;
use report::Bare;
pub use report::Report;

/// How much to do.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Jobs of each part.
    pub jobs: u32,
    /// Calls side by side.
    pub connections: u32,
    /// Nodes of the cluster that runs jobs.
    pub nodes: u32,
}

/// Whom to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A server started for it, on a temporary folder, and ended after it.
    Own,
    /// One that runs.
    Server {
        /// Where.
        url: String,
        /// A token that may make resource groups.
        token: String,
    },
}

/// Measures: bare loop, server, bare loop again.
///
/// # Errors
/// When the server cannot be started or a call fails. Failed jobs are counted, not errors.
pub async fn run(load: Load, target: Target) -> anyhow::Result<Report> {
    let before = bare(load).await?;
    let rates = on(target, async |client| load::measure(load, client).await).await?;
    let after = bare(load).await?;
    Ok(Report::new(load, rates, [before, after]))
}

/// Measures how soon a gang of so many nodes runs, `rounds` times, each time beside bare starts.
///
/// # Errors
/// As of [`run`].
pub async fn gang(nodes: u32, rounds: u32, target: Target) -> anyhow::Result<GangReport> {
    on(target, async |client| gang::measure(nodes, rounds, client).await).await
}

/// Measures what a job in a container costs, `rounds` times, each time beside podman alone. The server is one of our own,
/// since it must find the image that podman has.
///
/// # Errors
/// As of [`run`], or when podman is missing.
pub async fn container(rounds: u32) -> anyhow::Result<ContainerReport> {
    let images = Arc::new(tokio::task::spawn_blocking(container::Images::make).await??);
    let own = Own::start(&images.variables()).await?;
    let measured = async |client| container::measure(rounds, Arc::clone(&images), client).await;
    on_own(own, measured).await
}

/// Does something with a client of the server that is measured.
async fn on<T>(target: Target, work: impl AsyncFnOnce(Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    match target {
        Target::Server { url, token } => work(client(&url, &token)?).await,
        Target::Own => on_own(Own::start(&[]).await?, work).await,
    }
}

fn client(url: &str, token: &str) -> anyhow::Result<Client> {
    Ok(Client::new(Endpoint::from_url(url)?, token)?)
}

async fn on_own<T>(own: Own, work: impl AsyncFnOnce(Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let measured = async {
        let (url, token) = own.access()?;
        work(client(&url, &token)?).await
    };
    let outcome = tokio::select! {
        outcome = measured => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let ended = own.end().await;
    let done = outcome?;
    ended?;
    Ok(done)
}

async fn bare(load: Load) -> anyhow::Result<Bare> {
    let one = tokio::task::spawn_blocking(move || bare::starts_per_second(load.jobs, 1)).await??;
    let many = tokio::task::spawn_blocking(move || bare::starts_per_second(load.jobs, load.nodes)).await??;
    Ok(Bare { one, many })
}
