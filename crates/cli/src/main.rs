//! The `trainyard` command.

#[macro_use]
mod out;

mod authority;
mod bench;
mod clock;
mod commands;
mod config;
mod connect;
mod folder;
mod log;
mod quickstart;
mod serve;
#[cfg(test)]
mod standin;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use commands::Arguments;
use config::layers::{ConfigError, Surroundings};

/// 0: done. 1: it failed. 2: it was asked wrongly (clap's own code too), configuration included.
fn main() -> ExitCode {
    match commands::run(Arguments::parse(), surroundings()) {
        Ok(code) => code,
        Err(error) => {
            say!("trainyard: {error:#}");
            ExitCode::from(if error.is::<ConfigError>() { 2 } else { 1 })
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here, once")]
fn surroundings() -> Surroundings {
    Surroundings::new(
        std::env::vars_os().collect(),
        std::env::current_dir().unwrap_or_default(),
    )
}
