//! The commands: one file each.

mod backup;
mod bench;
mod connect;
mod contained;
mod doctor;
mod gc;
mod key;
mod migrate;
mod node;
mod options;
mod principal;
mod quickstart;
mod remote;
mod serve;
mod stop;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::layers::Surroundings;
use crate::out;

/// Batch AI on your own machines.
#[derive(Debug, Parser)]
#[command(
    name = "trainyard",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 asked wrongly."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Run the server and show it at work with one job on two nodes.
    Quickstart(quickstart::Quickstart),
    /// Take a node away.
    Node(node::Node),
    /// Run a command on another node of the job that calls it, as ssh does; MPI launchers call it.
    #[command(hide = true)]
    Remote(remote::Remote),
    /// What nodes call for the containers of jobs, and what runs in those.
    #[command(hide = true)]
    Contained(contained::ContainedCommand),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(token::Token),
    /// Make, list, renew and revoke service principals.
    #[command(subcommand)]
    Principal(principal::Principal),
    /// Connect a client of the old service: az, python or node.
    Connect(connect::Connect),
    /// Copy the data of a running or stopped server.
    Backup(backup::Backup),
    /// Bring a backup back, for a stopped server.
    Restore(backup::Restore),
    /// Show what nobody needs any more, and delete it.
    Gc(gc::Gc),
    /// Show and replace the key that seals secrets.
    #[command(subcommand)]
    Key(key::Key),
    /// Stop the server on a data folder.
    Stop(stop::Stop),
    /// Print every key of the configuration, as Markdown.
    Configuration,
    /// Move what was made for the older versions of Batch AI.
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Say what this machine can do for nodes, why not more, and what to do about it.
    Doctor(doctor::Doctor),
    /// Measure.
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// Does what was asked; the exit code.
///
/// # Errors
/// Anything that went wrong, with the next step where there is one.
pub fn run(arguments: Arguments, surroundings: Surroundings) -> anyhow::Result<ExitCode> {
    let done = match arguments.command {
        Command::Remote(command) => return Ok(command.run(&surroundings)),
        Command::Contained(command) => return Ok(command.run(&surroundings)),
        Command::Doctor(command) => return command.run(&surroundings),
        Command::Migrate(command) => return command.run(&surroundings),
        // A node is small: it has its own way of running.
        Command::Node(node::Node {
            folder: Some(folder), ..
        }) => crate::serve::node(&folder),
        Command::Node(command) => wait(command.run(&surroundings)),
        Command::Backup(command) => command.run(&surroundings),
        Command::Restore(command) => command.run(&surroundings),
        Command::Configuration => out::print(crate::config::docs::page()),
        Command::Serve(command) => wait(command.run(&surroundings)),
        Command::Quickstart(command) => wait(command.run(&surroundings)),
        Command::Token(command) => wait(command.run(&surroundings)),
        Command::Principal(command) => wait(command.run(&surroundings)),
        Command::Connect(command) => wait(command.run(&surroundings)),
        Command::Gc(command) => wait(command.run(&surroundings)),
        Command::Key(command) => wait(command.run(&surroundings)),
        Command::Stop(command) => wait(command.run(&surroundings)),
        Command::Bench(command) => wait(command.run()),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn wait<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_sound() {
        Arguments::command().debug_assert();
        for good in [
            "serve --listen 127.0.0.1:1 --data d --log-level debug",
            "quickstart --exit",
            "token create --name ci --role Reader --scope /subscriptions/s",
            "token revoke abc",
            "principal create --name ci --role Reader --scope /subscriptions/s --days 7",
            "principal reset abc --append",
            "principal revoke abc --credential def",
            "principal identity abc",
            "connect az --folder f --principal p --tls --force",
            "connect python --url http://h:1 --token-file f",
            "connect node --data d",
            "serve --tls-local",
            "backup --data d --to e",
            "restore --data d --from e --config c",
            "key show --data d",
            "key rotate --config c",
            "stop --nodes",
            "gc --data d --json",
            "gc --delete --config c",
            "gc --yes",
            "doctor --data d --json",
            "migrate import clusters.json jobs.json --plan",
            "migrate import --from http://127.0.0.1:1 --token t --yes --scale keep --report r.json",
            "migrate undo 0123456789abcdef",
            "bench submit --jobs 5 --json",
            "bench container --rounds 2",
            "node --folder f",
            "migrate scan a.sh b --location eastus --cli 0.1 --format json",
            "migrate verify . --location eastus --cli 0.2 --format json",
            "migrate rewrite . --write --mark --add-creates --subscription s --resource-group g",
            "remote -x 127.16.0.5 orted -mca x",
            "contained init /.trainyard/run",
            "contained remote -x 127.16.0.5 orted",
            "node preempt tvm-1_1-20180606t204645z-p --data d",
        ] {
            let words = ["trainyard"].into_iter().chain(good.split(' '));
            assert!(Arguments::try_parse_from(words).is_ok(), "{good}");
        }
        for bad in [
            "",
            "serve --port 1",
            "node",
            "node preempt",
            "node --folder f preempt n",
            "token create --name x --role Boss --scope /s",
            "bench submit --jobs 0",
            "bench container --rounds 0",
            "connect",
            "connect az --token t --principal p",
            "principal create --name x --role Reader",
            "key",
            "key rotate 0123",
            "migrate import",
            "migrate import f --scale half",
            "migrate undo",
            "migrate scan",
            "migrate rewrite . --cli 0.3",
        ] {
            let words = ["trainyard"].into_iter().chain(bad.split_whitespace());
            assert_eq!(
                Arguments::try_parse_from(words).unwrap_err().exit_code(),
                2,
                "{bad}"
            );
        }
    }
}
