//! What `az batchai` sends for a command line, by the rules of its version (cli-dialects.md sections 1.2 to 1.6).

mod cluster;
mod create;
mod file_server;
mod job;
pub(super) mod mounts;
mod options;
mod others;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::place::{Kind, Place, in_our_subscription};
use super::{NotReplayed, Replay, Request};
use crate::az::grammar::{Dialect, Role};
use crate::az::parse::{self, Parsed};
use crate::az::words::{Syntax, Word};
use crate::known::EXPERIMENT;
use crate::shell;
use options::Options;
pub(crate) use options::region;

/// What is known beside the words of the call.
pub struct Around<'a> {
    /// Where its things are, if the call does not say it.
    pub region: Option<&'a str>,
    /// Reads a config file by its name in the call.
    pub config: &'a dyn Fn(&str) -> Option<Value>,
}

impl Around<'_> {
    /// Nothing is known.
    pub const NOTHING: Around<'static> = Around {
        region: None,
        config: &|_| None,
    };
}

/// What one call does in each of the older versions that take it.
///
/// # Errors
/// [`NotReplayed`] where it does nothing, or no version takes it.
pub fn old(text: &str, around: &Around<'_>) -> Result<Vec<(Dialect, Replay)>, NotReplayed> {
    let mut all = Vec::new();
    let mut why = None;
    for dialect in [Dialect::V02, Dialect::V01] {
        match form(text, dialect, around) {
            Ok(replay) => all.push((dialect, replay)),
            Err(error) => why = why.or(Some(error)),
        }
    }
    // What a version's own client refuses was not written for it.
    if all.iter().any(|(_, replay)| replay.refused.is_none()) {
        all.retain(|(_, replay)| replay.refused.is_none());
    }
    match why {
        Some(why) if all.is_empty() => Err(why),
        _ => Ok(all),
    }
}

/// What one call does in the new version.
///
/// # Errors
/// See [`old`].
pub fn new(text: &str, around: &Around<'_>) -> Result<Replay, NotReplayed> {
    form(text, Dialect::V03, around)
}

fn form(text: &str, dialect: Dialect, around: &Around<'_>) -> Result<Replay, NotReplayed> {
    let sites = shell::sites(text, Syntax::Loose);
    let site = sites
        .first()
        .ok_or_else(|| NotReplayed::because("it is no command line by itself"))?;
    let second = site.words.get(1).map(Word::plain).unwrap_or_default();
    if second != "batchai" {
        return Err(NotReplayed::because(format!(
            "`az {second}` is not one of Batch AI"
        )));
    }
    let words = site.words.get(2..).unwrap_or_default();
    if words.iter().any(|word| ["-h", "--help"].contains(&word.raw)) {
        return Err(NotReplayed::because("it asks for help and does nothing"));
    }
    let parsed = parse::call(dialect, words)
        .map_err(|misfit| NotReplayed::because(format!("az batchai {dialect} does not take it: {misfit}")))?;
    replay(dialect, &parsed, around)
}

fn replay(dialect: Dialect, parsed: &Parsed<'_>, around: &Around<'_>) -> Result<Replay, NotReplayed> {
    let call = Call {
        dialect,
        options: Options { parsed },
        around,
    };
    let mut replay = match parsed.command.becomes {
        "cluster create" => cluster::create(&call),
        "file-server create" => file_server::create(&call),
        "job create" => job::create(&call),
        _ => others::replay(&call)?,
    };
    replay.client.extend(call.options.of_the_client());
    if dialect == Dialect::V03 {
        let id = call.id();
        let of_id = |pick: fn(&super::place::Named) -> Option<String>| id.as_ref().and_then(pick);
        replay.workspace = call
            .options
            .name(Role::Workspace)
            .or_else(|| of_id(|id| id.workspace.clone()));
        replay.experiment = call
            .options
            .name(Role::Experiment)
            .or_else(|| of_id(|id| id.experiment.clone()));
    } else {
        replay.region = call.region();
    }
    replay.group = id_group(&call).unwrap_or_else(|| call.options.group());
    Ok(replay)
}

fn id_group(call: &Call<'_>) -> Option<String> {
    call.id().map(|id| id.need.group)
}

/// A call of one version.
struct Call<'a> {
    dialect: Dialect,
    options: Options<'a>,
    around: &'a Around<'a>,
}

impl Call<'_> {
    fn place(&self) -> Place {
        match self.dialect {
            Dialect::V01 => Place::Flat {
                version: "2017-09-01-preview",
            },
            Dialect::V02 => Place::Flat {
                version: "2018-03-01",
            },
            Dialect::V03 => Place::Nested {
                workspace: self.options.name(Role::Workspace).unwrap_or_default(),
                experiment: self
                    .options
                    .name(Role::Experiment)
                    .unwrap_or_else(|| EXPERIMENT.to_owned()),
            },
        }
    }

    /// Where an old call puts its thing: what it says, what its file says, what is known.
    fn region(&self) -> Option<String> {
        let file = || {
            let config = self.config()?;
            let location = config.get("location")?.as_str()?;
            Some(options::region(location))
        };
        self.options
            .text(Role::Location)
            .map(|text| options::region(&text))
            .or_else(file)
            .or_else(|| self.around.region.map(str::to_owned))
    }

    /// The config file that it names, if there is one to read.
    fn config(&self) -> Option<Value> {
        let name = self.options.plain(Role::Config)?;
        let text = (self.around.config)(&name)?.to_string();
        serde_json::from_str(&in_our_subscription(&text)).ok()
    }

    /// The thing of `--ids`.
    fn id(&self) -> Option<super::place::Named> {
        super::place::named(&in_our_subscription(&self.options.text(Role::Ids)?))
    }

    fn request(&self, method: &'static str, path: impl Into<String>) -> Request {
        Request::new(method, path, self.place().version())
    }

    /// Path of the call's own thing.
    fn path(&self, kind: Kind, role: Role) -> String {
        let name = self.options.name(role).unwrap_or_default();
        self.place().path(&self.options.group(), kind, &name)
    }
}
