//! `trainyard stop`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use trainyard_store::lock::holder;

use crate::config::layers::{Surroundings, data_folder};
use crate::{connect, serve};

/// How long a server may take to end, its nodes included.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often we look whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Stop the server; jobs go on unless --nodes is given.
#[derive(Debug, Args)]
pub struct Stop {
    /// End the nodes and their jobs too.
    #[arg(long)]
    nodes: bool,
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl Stop {
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        let data = data_folder(surroundings, self.data.as_deref())?;
        if holder(&data)?.is_none() {
            return stop_without_server(&data, self.nodes);
        }
        let client = connect::admin(&data)?;
        let asked = client
            .post("/trainyard/stop", Some(&json!({"nodes": self.nodes})))
            .await;
        connect::explain(&data, asked)?;
        let gone = async {
            // The lock goes last: after the nodes' end and the store's.
            while !matches!(holder(&data), Ok(None)) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, gone).await.is_err() {
            bail!(
                "the server on {} still runs after {} s: see its log",
                data.display(),
                PATIENCE.as_secs()
            );
        }
        say!("stopped");
        Ok(())
    }
}

/// Nodes outlive their server; without one they are ended from here.
fn stop_without_server(data: &Path, nodes: bool) -> anyhow::Result<()> {
    if !nodes {
        bail!(
            "no server runs on {}: add --nodes to end nodes that one has left",
            data.display()
        );
    }
    let ended = serve::end_nodes(data, PATIENCE)?;
    say!("no server runs on {}; {ended} nodes ended", data.display());
    Ok(())
}
