//! `trainyard migrate`.

mod import;
mod undo;

use clap::Subcommand;

use crate::config::layers::Surroundings;

/// Move from an old deployment of Batch AI.
#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Import what an old deployment exports: clusters, file servers and jobs that are over.
    Import(import::Import),
    /// Take away what an import made.
    Undo(undo::Undo),
}

impl Migrate {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        match self {
            Migrate::Import(command) => command.run(surroundings).await,
            Migrate::Undo(command) => command.run(surroundings).await,
        }
    }
}
