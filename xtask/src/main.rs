//! The project's own tasks: `test`, `tidy` and `soak`. No more than plain cargo is needed to run them.

mod counts;
mod left_out;
mod python;
mod suite;
mod tidy;
mod world;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};
use world::World;

const USAGE: &str = "usage:
  cargo xtask test [--fast] [--only NAME]   everything that must hold, fast things first
  cargo xtask tidy                          the project's own rules
  cargo xtask soak --seeds N [--start S] [--steps K]
                                            the simulator with many seeds (release build)

  --fast       without the tests by the Python SDK
  --only NAME  only tests whose name holds NAME, without tidy, rustfmt and clippy";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the task asked for; `false` says that it ran and found something.
fn run() -> Result<bool> {
    let (world, mut arguments) = World::of_this_process()?;
    if arguments.is_empty() {
        bail!("no task named\n{USAGE}");
    }
    let task = arguments.remove(0);
    match task.to_str() {
        Some("test") => suite::run(&world, &suite::Options::parse(&arguments)?),
        Some("tidy") if arguments.is_empty() => tidy::run(&world),
        Some("soak") => soak(&world, &arguments),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(true)
        }
        _ => bail!(
            "unknown task or argument: {} {arguments:?}\n{USAGE}",
            task.display()
        ),
    }
}

/// Hands everything on to the simulator's `soak` program, which knows its own flags.
fn soak(world: &World, arguments: &[OsString]) -> Result<bool> {
    let mut cargo = world.cargo(&[
        "run",
        "--release",
        "--locked",
        "--package",
        "trainyard-sim",
        "--bin",
        "soak",
        "--",
    ]);
    cargo.args(arguments);
    Ok(cargo.status()?.success())
}
