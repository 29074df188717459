//! `trainyard contained`: what nodes call for the containers of jobs, and what runs in those.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::config::layers::Surroundings;

/// Do something for or in the container of a job.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct ContainedCommand {
    /// What, and with which file.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl ContainedCommand {
    /// Its exit code, or that of what it ran.
    pub fn run(self, surroundings: &Surroundings) -> ExitCode {
        let variables = surroundings.variables.iter();
        let text = variables
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())));
        let code = trainyard_node::container::main(&self.words, text.collect());
        ExitCode::from(code.to_le_bytes()[0])
    }
}
