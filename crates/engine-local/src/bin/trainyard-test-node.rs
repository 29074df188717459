//! A node process for the tests of this crate: the parts of `trainyard node` and `trainyard remote` that matter. Never
//! shipped.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use trainyard_node::remote::Place;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "remote") {
        return remote(&arguments[1..]);
    }
    if arguments.first().is_some_and(|word| word == "contained") {
        return contained(&arguments[1..]);
    }
    let folder = arguments
        .iter()
        .skip_while(|argument| *argument != "--folder")
        .nth(1);
    match trainyard_node::run(&folder.map_or_else(PathBuf::new, PathBuf::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut cause: Option<&dyn Error> = Some(&error);
            while let Some(error) = cause {
                eprintln!("{error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the environment of the job is read here, once"
)]
fn remote(arguments: &[OsString]) -> ExitCode {
    let variable = std::env::var_os;
    let (shared, hosts, path) = (
        variable("AZ_BATCHAI_SHARED_JOB_TEMP"),
        variable("AZ_BATCH_HOST_LIST"),
        variable("PATH"),
    );
    let done = match arguments {
        [option, own, _, rest @ ..] if option == "--as-ssh" => {
            let place = Place {
                shared: shared.as_deref(),
                hosts: hosts.as_deref(),
                path: path.as_deref(),
            };
            trainyard_node::remote::ssh(rest, Path::new(own), place)
        }
        _ => trainyard_node::remote::call(arguments, shared.as_deref()),
    };
    match done {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(255)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(255)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the environment of the errand is read here, once"
)]
fn contained(words: &[OsString]) -> ExitCode {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let code = trainyard_node::container::main(words, std::env::vars_os().filter_map(text).collect());
    ExitCode::from(u8::try_from(code).unwrap_or(255))
}
