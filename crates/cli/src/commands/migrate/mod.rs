//! `trainyard migrate`: from the older versions to this one.

mod files;
mod import;
mod replace;
mod report;
mod rewrite;
mod scan;
mod undo;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use trainyard_migrate::az::grammar::Dialect;
use trainyard_migrate::known::Known;

use crate::config::layers::Surroundings;

/// Move scripts that were written for the older Batch AI, and what an old deployment holds.
#[derive(Debug, Subcommand)]
pub enum Migrate {
    /// Find calls of Batch AI in scripts and say what each becomes; nothing is changed.
    #[command(after_help = EXIT_CODES)]
    Scan(scan::Scan),
    /// Show the changes as a diff, or make them.
    #[command(after_help = EXIT_CODES)]
    Rewrite(rewrite::Rewrite),
    /// Do both forms of each call on a scratch service and compare; no script is run and nothing is changed.
    #[command(after_help = verify::EXIT_CODES)]
    Verify(verify::Verify),
    /// Import what an old deployment exports: clusters, file servers and jobs that are over.
    Import(Box<import::Import>),
    /// Take away what an import made.
    Undo(undo::Undo),
}

const EXIT_CODES: &str =
    "Exit codes: 0 everything is decided, 3 something is left to you, 1 failed, 2 asked wrongly.";

impl Migrate {
    /// Does it; 3 where something is left to the person.
    ///
    /// # Errors
    /// Anything that went wrong, with the next step where there is one.
    pub fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        match self {
            Self::Scan(command) => command.run(),
            Self::Rewrite(command) => command.run(),
            Self::Verify(command) => super::wait(command.run()),
            Self::Import(command) => super::wait(command.run(surroundings)).map(|()| ExitCode::SUCCESS),
            Self::Undo(command) => super::wait(command.run(surroundings)).map(|()| ExitCode::SUCCESS),
        }
    }
}

/// How the calls are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One call a line, remarks below it.
    Text,
    /// One object: calls, leftOut, summary.
    Json,
}

/// What the person tells about scripts.
#[derive(Debug, Clone, Default, Args)]
pub struct Told {
    /// Region of calls that name none, as in eastus.
    #[arg(long, value_name = "REGION")]
    location: Option<String>,
    /// Subscription id for resource ids that have to be written out.
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// Resource group of calls that name none.
    #[arg(long, value_name = "GROUP")]
    resource_group: Option<String>,
    /// Version of az batchai the scripts were written for, where their calls do not tell.
    #[arg(long, value_enum, value_name = "VERSION")]
    cli: Option<Cli>,
}

/// Versions which the text of a call may not tell apart.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Cli {
    /// Until March 2018.
    #[value(name = "0.1")]
    V01,
    /// April to June 2018.
    #[value(name = "0.2")]
    V02,
}

impl Told {
    fn known(&self) -> Known {
        Known {
            location: self.location.clone(),
            subscription: self.subscription.clone(),
            resource_group: self.resource_group.clone(),
            dialect: self.cli.map(|cli| match cli {
                Cli::V01 => Dialect::V01,
                Cli::V02 => Dialect::V02,
            }),
            add_creates: false,
        }
    }
}
