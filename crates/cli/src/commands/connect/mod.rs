//! `trainyard connect`: what a client of Batch AI needs to speak to this server.

mod az;
mod place;
mod programs;
mod target;

use clap::Subcommand;

use crate::config::layers::Surroundings;

/// Point a client of Batch AI at this server.
#[derive(Debug, Subcommand)]
pub enum Connect {
    /// az: prints what to evaluate in a shell, as in eval "$(trainyard connect az)".
    Az(target::Server),
    /// Python: prints a program that works as it stands.
    Python(target::Server),
    /// Node: prints a program that works as it stands.
    Node(target::Server),
}

impl Connect {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        match self {
            Self::Az(server) => az::connect(&server.find("az", surroundings).await?),
            Self::Python(server) => programs::python(&server.find("python", surroundings).await?),
            Self::Node(server) => programs::node(&server.find("node", surroundings).await?),
        }
    }
}
