//! `trainyard bench`.

use std::fmt::Display;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::bench::{self, Load, Target};
use crate::out;

/// Measurements on this machine.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// How many jobs are taken in, and run, a second, beside a bare loop of the shell.
    Submit(Submit),
    /// How soon all ranks of a job of many nodes run, beside as many bare starts of the shell.
    Gang(Gang),
    /// What a job in a container costs, beside podman alone with the same image.
    Container(Container),
}

#[derive(Debug, Args)]
pub struct Container {
    /// Jobs, one after the other.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct Submit {
    /// Jobs of each part.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    jobs: u32,
    /// Connections that submit side by side.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,
    /// Nodes that run jobs.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    nodes: u32,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
pub struct Gang {
    /// Nodes of the job.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=64))]
    nodes: u32,
    /// Jobs, one after the other.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
struct Server {
    /// Measure this server [default: one started for the measurement, on a temporary folder].
    #[arg(long, requires = "access")]
    url: Option<String>,
    #[command(flatten)]
    access: Access,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(id = "access", multiple = false, requires = "url")]
struct Access {
    /// Its token; others on this machine can see it in the list of processes.
    #[arg(long)]
    token: Option<String>,
    /// File with its token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Bench {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Submit(Submit {
                jobs,
                connections,
                nodes,
                server,
            }) => {
                let load = Load {
                    jobs,
                    connections,
                    nodes,
                };
                let json = server.json;
                print(bench::run(load, server.target()?).await?, json)
            }
            Self::Gang(Gang {
                nodes,
                rounds,
                server,
            }) => {
                let json = server.json;
                print(bench::gang(nodes, rounds, server.target()?).await?, json)
            }
            Self::Container(Container { rounds, json }) => print(bench::container(rounds).await?, json),
        }
    }
}

fn print(report: impl Display + Serialize, json: bool) -> anyhow::Result<()> {
    if json {
        out::print(serde_json::to_string_pretty(&report)? + "\n")
    } else {
        out::print(report)
    }
}

impl Server {
    fn target(self) -> anyhow::Result<Target> {
        let Some(url) = self.url else {
            return Ok(Target::Own);
        };
        let token = match (self.access.token, self.access.token_file) {
            (Some(token), _) => token,
            (None, Some(file)) => std::fs::read_to_string(&file)
                .with_context(|| format!("the token file {} cannot be read", file.display()))?
                .trim()
                .to_owned(),
            (None, None) => anyhow::bail!("give the server's token with --token-file"),
        };
        Ok(Target::Server { url, token })
    }
}
