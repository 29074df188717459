//! `trainyard bench submit`: a server's figures beside those of a bare loop on the same machine.

mod bare;
mod child;
mod load;
mod report;
#[cfg(test)]
mod tests;

use trainyard_client::{Client, Endpoint};

use child::Own;
pub use report::Report;
use report::{Bare, Rates};

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
    let rates = match target {
        Target::Server { url, token } => server(load, &url, &token).await?,
        Target::Own => own(load).await?,
    };
    let after = bare(load).await?;
    Ok(Report::new(load, rates, [before, after]))
}

async fn own(load: Load) -> anyhow::Result<Rates> {
    let own = Own::start().await?;
    let measured = async {
        let (url, token) = own.access()?;
        server(load, &url, &token).await
    };
    let outcome = tokio::select! {
        outcome = measured => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    let ended = own.end().await;
    let rates = outcome?;
    ended?;
    Ok(rates)
}

async fn server(load: Load, url: &str, token: &str) -> anyhow::Result<Rates> {
    load::measure(load, Client::new(Endpoint::from_url(url)?, token)?).await
}

async fn bare(load: Load) -> anyhow::Result<Bare> {
    let one = tokio::task::spawn_blocking(move || bare::starts_per_second(load.jobs, 1)).await??;
    let many = tokio::task::spawn_blocking(move || bare::starts_per_second(load.jobs, load.nodes)).await??;
    Ok(Bare { one, many })
}
