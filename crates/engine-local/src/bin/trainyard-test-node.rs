//! A node process for the tests of this crate: the part of `trainyard node` that matters. Never shipped.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = std::env::args_os()
        .skip_while(|argument| argument != "--folder")
        .nth(1);
    match trainyard_node::run(&folder.map_or_else(PathBuf::new, PathBuf::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
