//! This program as an errand of a node, or in a container.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use super::call::World;
use super::inside;
use super::order::Order;
use super::registry::without_secrets;
use super::{pull, remove, start};
use crate::remote;

/// Exit code where a process of the container cannot be waited for any more: as if it was killed.
const KILLED: i32 = 137;
/// The variable that names the job's shared directory.
const SHARED: &str = "AZ_BATCHAI_SHARED_JOB_TEMP";

/// Does what nodes call this program for, by the words that follow `contained`; an exit code. `variables` are those of
/// this process.
pub fn main(words: &[OsString], variables: BTreeMap<String, String>) -> i32 {
    let text: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let done = match text.as_slice() {
        ["pull", order] => errand(Path::new(order), variables, pull::pull),
        ["start", order] => errand(Path::new(order), variables, start::start),
        ["remove", order] => errand(Path::new(order), variables, remove::remove),
        ["init", folder] => inside::init(Path::new(folder), &variables).map_err(|error| error.to_string()),
        ["run", folder, name] => return run(Path::new(folder), name),
        ["remote", ..] => return call(&words[1..], &variables),
        ["ssh", own, "--", ..] => return ssh(&words[3..], Path::new(own), &variables),
        _ => Err("trainyard itself calls this, nobody else".to_owned()),
    };
    match done {
        Ok(()) => 0,
        Err(why) => {
            crate::say(why);
            1
        }
    }
}

/// What it says on stdout or stderr is the errand's result.
fn errand(
    path: &Path,
    variables: BTreeMap<String, String>,
    what: impl FnOnce(&Order, &World) -> Result<String, String>,
) -> Result<(), String> {
    let order = fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let order: Order =
        serde_json::from_slice(&order).map_err(|error| format!("the order is damaged: {error}"))?;
    let said = what(&order, &World { variables });
    let said = said.map_err(|why| without_secrets(&why, order.container.login.as_ref()))?;
    crate::say(said);
    Ok(())
}

/// Has an order of the container in `folder` done, with the streams of this process.
fn run(folder: &Path, name: &str) -> i32 {
    match inside::ask(folder, name) {
        Ok(code) => code,
        Err(remote::CallError::NotStarted { why, code, .. }) => {
            crate::say(why);
            code
        }
        Err(error) => {
            crate::say(format_args!("the container of the job is gone: {error}"));
            KILLED
        }
    }
}

fn call(words: &[OsString], variables: &BTreeMap<String, String>) -> i32 {
    let shared = variables.get(SHARED).map(OsStr::new);
    remote::call(words, shared).unwrap_or_else(as_ssh)
}

fn ssh(words: &[OsString], own: &Path, variables: &BTreeMap<String, String>) -> i32 {
    let variable = |name| variables.get(name).map(OsStr::new);
    let place = remote::Place {
        shared: variable(SHARED),
        hosts: variable("AZ_BATCH_HOST_LIST"),
        path: variable("PATH"),
    };
    remote::ssh(words, own, place).unwrap_or_else(as_ssh)
}

/// Says an error, and how ssh ends then.
fn as_ssh(error: remote::CallError) -> i32 {
    crate::say(error);
    255
}
