//! What the other calls of a file tell: regions, defaults, the subscription, the version it was written for.

use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{Dialect, Role};
use super::parse::Parsed;
use super::words::{Word, is_literal, is_local, is_name, unwrap};
use crate::known::{Known, REGION_MARK};

/// Facts of one file.
#[derive(Debug, Default)]
pub struct Facts {
    default_location: BTreeSet<String>,
    default_group: BTreeSet<String>,
    groups: BTreeMap<String, BTreeSet<String>>,
    named: BTreeMap<Thing, BTreeSet<String>>,
    subscriptions: BTreeSet<String>,
    dialects: BTreeSet<Dialect>,
}

/// What has a region: a cluster, a job, a file server; its name and group as they are written.
type Thing = (Role, String, Option<String>);

/// A region, as it is written after `migrated-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// A short name, a variable, or the mark.
    pub text: String,
    /// Where it was found, for the person; none where it is the call's own.
    pub from: Option<&'static str>,
}

impl Region {
    /// Whether it is known at all.
    pub fn is_known(&self) -> bool {
        self.text != REGION_MARK
    }
}

/// The short name of a region that was written as a display name or quoted; variables stay.
pub fn short_name(raw: &str) -> String {
    let (_, inner, _) = unwrap(raw);
    if is_name(inner) {
        inner
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '\\')
            .collect::<String>()
            .to_lowercase()
    } else {
        inner.to_owned()
    }
}

impl Facts {
    /// Learns from a call which is not one of Batch AI: `az configure`, `az group create`, `az account set`.
    pub fn learn_other(&mut self, words: &[Word<'_>]) {
        let plain: Vec<String> = words.iter().map(|word| word.plain()).collect();
        let value = |names: &[&str]| {
            let at = plain.iter().position(|word| names.contains(&word.as_str()));
            let next = at
                .and_then(|at| words.get(at + 1))
                .map(|word| word.raw.to_owned());
            next.or_else(|| {
                plain
                    .iter()
                    .find_map(|word| {
                        names
                            .iter()
                            .find_map(|name| word.strip_prefix(&format!("{name}=")))
                    })
                    .map(str::to_owned)
            })
        };
        match (plain.get(1).map(String::as_str), plain.get(2).map(String::as_str)) {
            (Some("configure"), _) => {
                for word in &plain {
                    if let Some(location) = word.strip_prefix("location=").filter(|told| !is_local(told)) {
                        self.default_location.insert(short_name(location));
                    }
                    if let Some(group) = word.strip_prefix("group=").filter(|told| !is_local(told)) {
                        self.default_group.insert(group.to_owned());
                    }
                }
            }
            (Some("group"), Some("create")) => {
                let group = value(&["-n", "--name", "-g", "--resource-group"]);
                if let (Some(group), Some(location)) = (group, value(&["-l", "--location"]))
                    && !is_local(&group)
                    && !is_local(&location)
                {
                    let known = self.groups.entry(unwrap(&group).1.to_owned()).or_default();
                    known.insert(short_name(&location));
                }
            }
            (Some("account"), Some("set")) => {
                if let Some(id) =
                    value(&["-s", "--subscription", "-n", "--name"]).filter(|id| is_id(unwrap(id).1))
                {
                    self.subscriptions.insert(unwrap(&id).1.to_owned());
                }
            }
            _ => {}
        }
    }

    /// Learns from an old call which only some dialects take.
    pub fn learn_dialects(&mut self, fits: &[Dialect]) {
        if let [one] = fits {
            self.dialects.insert(*one);
        }
    }

    /// Learns where the thing of a `create` with its own region is.
    pub fn learn_create(&mut self, parsed: &Parsed<'_>) {
        if let Some(location) = parsed.raw(Role::Location)
            && let Some(thing) = thing(parsed)
            && (is_name(unwrap(location).1) || !is_literal(location))
            && !is_local(location)
            && !short_name(location).is_empty()
        {
            self.named.entry(thing).or_default().insert(short_name(location));
        }
    }

    /// Learns where a job without its own region is: where its cluster is. After all of `learn_create`.
    pub fn learn_job(&mut self, parsed: &Parsed<'_>) {
        if parsed.command.path == "job create"
            && !parsed.has(Role::Location)
            && let (Some(job), Some(region)) = (thing(parsed), self.of_cluster(parsed))
        {
            self.named.entry(job).or_default().insert(region);
        }
    }

    fn of_cluster(&self, parsed: &Parsed<'_>) -> Option<String> {
        let own = parsed.raw(Role::Group);
        let group = parsed.raw(Role::ClusterGroup).or(own);
        let cluster = unwrap(parsed.raw(Role::Cluster)?).1.to_owned();
        let group = group.map(|group| unwrap(group).1.to_owned());
        only(self.named.get(&(Role::Cluster, cluster, group))?)
    }

    /// The region of what an old call speaks of.
    pub fn region(&self, parsed: &Parsed<'_>, known: &Known) -> Region {
        let found = |text: Option<String>, from| {
            Some(Region {
                text: text?,
                from: Some(from),
            })
        };
        let own = parsed.raw(Role::Location).map(|location| Region {
            text: short_name(location),
            from: None,
        });
        let named = || only(self.named.get(&thing(parsed)?)?);
        let cluster = || (parsed.command.path == "job create").then(|| self.of_cluster(parsed))?;
        let group = || {
            only(
                self.groups
                    .get(unwrap(parsed.raw(Role::Group).or(self.group())?).1)?,
            )
        };
        own.or_else(|| found(named(), "the `create` of the same name in this file"))
            .or_else(|| found(cluster(), "the `cluster create` in this file"))
            .or_else(|| found(only(&self.default_location), "`az configure` in this file"))
            .or_else(|| found(group(), "the `az group create` in this file"))
            .or_else(|| found(known.location.as_deref().map(short_name), "--location"))
            .unwrap_or_else(|| Region {
                text: REGION_MARK.to_owned(),
                from: None,
            })
    }

    /// The default group that the file configures, if it is one.
    pub fn group(&self) -> Option<&str> {
        let mut all = self.default_group.iter();
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }

    /// The subscription that the file sets, if it is one.
    pub fn subscription(&self) -> Option<String> {
        only(&self.subscriptions)
    }

    /// The version that the file's other calls show, if they agree.
    pub fn dialect(&self) -> Option<Dialect> {
        let mut all = self.dialects.iter();
        let first = *all.next()?;
        all.next().is_none().then_some(first)
    }
}

fn only(set: &BTreeSet<String>) -> Option<String> {
    let mut all = set.iter();
    let first = all.next()?;
    all.next().is_none().then(|| first.clone())
}

fn thing(parsed: &Parsed<'_>) -> Option<Thing> {
    let role = match parsed.command.path.split(' ').next()? {
        "cluster" => Role::Cluster,
        "job" => Role::Job,
        "file-server" => Role::FileServer,
        _ => return None,
    };
    let name = parsed.raw(role)?;
    let group = parsed.raw(Role::Group);
    if is_local(name) || group.is_some_and(is_local) {
        return None;
    }
    let group = group.map(|group| unwrap(group).1.to_owned());
    Some((role, unwrap(name).1.to_owned(), group))
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_id(text: &str) -> bool {
    let lengths: Vec<_> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}
