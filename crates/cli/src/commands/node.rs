//! `trainyard node`: what the server starts for each node.

use std::path::PathBuf;

use clap::Args;

/// Run one node.
#[derive(Debug, Args)]
pub struct Node {
    /// The node's folder.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
}

impl Node {
    pub fn run(self) -> anyhow::Result<()> {
        crate::serve::node(&self.folder)
    }
}
