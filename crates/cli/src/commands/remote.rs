//! `trainyard remote`: what MPI launchers call in the place of ssh, and what `ssh` is for a job.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use trainyard_node::remote::{self, Place};

use crate::config::layers::Surroundings;

/// Run a command on another node of the job.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Remote {
    /// Be ssh, called by this path: for a host that is no node of the job the real one is called.
    #[arg(long, hide = true, value_name = "PATH")]
    as_ssh: Option<PathBuf>,
    /// As those of ssh: options, which are skipped, the node's address, the command.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Remote {
    /// The command's exit code, or 255 as of ssh when it cannot be run.
    pub fn run(self, surroundings: &Surroundings) -> ExitCode {
        let variable = |wanted: &str| -> Option<&OsStr> {
            let mut variables = surroundings.variables.iter();
            let found = variables.find(|(name, _)| name.as_os_str() == wanted);
            found.map(|(_, value)| value.as_os_str())
        };
        let shared = variable("AZ_BATCHAI_SHARED_JOB_TEMP");
        let (name, done) = match &self.as_ssh {
            Some(own) => {
                let place = Place {
                    shared,
                    hosts: variable("AZ_BATCH_HOST_LIST"),
                    path: variable("PATH"),
                };
                ("ssh", remote::ssh(&self.arguments, own, place))
            }
            None => ("trainyard remote", remote::call(&self.arguments, shared)),
        };
        let code = done.unwrap_or_else(|error| {
            say!("{name}: {:#}", anyhow::Error::from(error));
            255
        });
        // Exit codes are bytes; so a shell shows one that is not, too.
        ExitCode::from(code.to_le_bytes()[0])
    }
}
