//! `trainyard node`: what the server starts for each node, and what users do with nodes.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;

use crate::config::layers::{Surroundings, data_folder};
use crate::connect;

/// Nodes of the server on a data folder.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    override_usage = "trainyard node <COMMAND>"
)]
pub struct Node {
    /// Run the node of this folder; the server starts it so.
    #[arg(long, value_name = "FOLDER", required = true, hide = true)]
    pub folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take a low-priority node away: its job is warned, then killed, and runs again elsewhere.
    Preempt(Preempt),
}

#[derive(Debug, Args)]
struct Preempt {
    /// Its id, such as tvm-171039672_1-20180606t204645z-p.
    #[arg(value_name = "NODE_ID")]
    id: String,
    /// Data folder [default: trainyard in your data home].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Shown {
    job: Option<Job>,
}

#[derive(Deserialize)]
struct Job {
    id: String,
}

impl Node {
    /// Does what a user asked for.
    pub async fn run(self, surroundings: &Surroundings) -> anyhow::Result<()> {
        match self.command {
            Some(Action::Preempt(asked)) => {
                let data = data_folder(surroundings, asked.data.as_deref())?;
                preempt(&data, &asked.id).await
            }
            None => Ok(()),
        }
    }
}

async fn preempt(data: &Path, id: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
        "{id:?} is no id of a node: listRemoteLoginInformation of a cluster shows them"
    );
    let path = format!("/trainyard/nodes/{id}/preempt");
    let taken = connect::admin(data)?.post(&path, None).await;
    let shown: Shown = connect::explain(data, taken)?.json()?;
    match shown.job {
        Some(job) => say!("{id} leaves; its job is warned and stopped: {}", job.id),
        None => say!("{id} leaves; it has no job"),
    }
    Ok(())
}
