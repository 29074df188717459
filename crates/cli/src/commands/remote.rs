//! `trainyard remote`: what MPI launchers call in the place of ssh.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::Args;

use crate::config::layers::Surroundings;

/// Run a command on another node of the job.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Remote {
    /// As those of ssh: options, which are skipped, the node's address, the command.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Remote {
    /// The command's exit code, or 255 as of ssh when it cannot be run.
    pub fn run(self, surroundings: &Surroundings) -> ExitCode {
        let mut variables = surroundings.variables.iter();
        let shared = variables.find(|(name, _)| name.as_os_str() == "AZ_BATCHAI_SHARED_JOB_TEMP");
        let shared: Option<&OsStr> = shared.map(|(_, value)| value.as_os_str());
        let code = trainyard_node::remote::call(&self.arguments, shared).unwrap_or_else(|error| {
            say!("trainyard remote: {:#}", anyhow::Error::from(error));
            255
        });
        // Exit codes are bytes; so a shell shows one that is not, too.
        ExitCode::from(code.to_le_bytes()[0])
    }
}
