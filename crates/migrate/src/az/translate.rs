//! A call of 0.1 or 0.2 becomes one of 0.3 (cli-dialects.md sections 1.5 and 1.6).

use super::facts::{Facts, Region};
use super::grammar::{Command, Dialect, Opt, Role};
use super::parse::{Given, Parsed};
use super::remarks;
use super::words::{Site, Word, is_literal, is_name, same_group, unwrap};
use super::write::{Writer, path, prefixed};
use crate::edit::Edit;
use crate::known::{EXPERIMENT, Known, SUBSCRIPTION_MARK};

/// What an old call becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The edits.
    pub edits: Vec<Edit>,
    /// What the person should know.
    pub remarks: Vec<String>,
}

/// Everything that a translation looks at.
pub struct Source<'s, 'a> {
    /// The call.
    pub site: &'s Site<'a>,
    /// Its options.
    pub parsed: &'s Parsed<'a>,
    /// The dialect it is read by.
    pub dialect: Dialect,
    /// What the file tells.
    pub facts: &'s Facts,
    /// What the person told.
    pub known: &'s Known,
}

impl<'a> Source<'_, 'a> {
    /// The words of the command, as they stand.
    fn path_words(&self) -> Vec<Word<'a>> {
        let end = self
            .parsed
            .given
            .first()
            .map_or(usize::MAX, |given| given.name.start);
        let words = self.parsed.command.path.split(' ');
        let stand = |word: &&Word<'a>| word.start < end && words.clone().any(|wanted| word.plain() == wanted);
        self.site.words.iter().skip(1).filter(stand).copied().collect()
    }
}

/// Translates an old call.
///
/// # Errors
/// The question to the person, where it can't be decided.
pub fn old(source: &Source<'_, '_>) -> Result<Translation, String> {
    let Source { site, parsed, .. } = source;
    let target = Dialect::V03
        .command(parsed.command.becomes)
        .ok_or_else(|| format!("{} has no successor", parsed.command.path))?;
    questions(source, target)?;
    let mut work = Work {
        target,
        region: source.facts.region(parsed, source.known),
        writer: Writer::new(site, &parsed.given),
        remarks: Vec::new(),
    };
    if target.path != parsed.command.path {
        work.writer.command(&source.path_words(), target);
    }
    for given in &parsed.given {
        work.option(source, given);
    }
    work.workspace(source);
    work.come(source);
    remarks::of_old(source, &work.region, &mut work.remarks);
    Ok(Translation {
        edits: work.writer.finish(),
        remarks: work.remarks,
    })
}

/// What nobody can decide.
fn questions(source: &Source<'_, '_>, target: &'static Command) -> Result<(), String> {
    let parsed = source.parsed;
    let path = parsed.command.path;
    if target.path.ends_with(" list") && path == target.path && !path.contains("file list") {
        let group = parsed.plain(Role::Group);
        if group.as_deref() == Some("") {
            return Err(
                "it lists the whole subscription, and there is no such call any more: which workspaces are \
                        meant? `az batchai workspace list` shows them; then one call for each, with -g and -w"
                    .to_owned(),
            );
        }
        if group.is_none() && source.facts.group().is_none() && source.known.resource_group.is_none() {
            return Err(
                "without -g it lists the whole subscription, unless a default group is configured: which \
                        group is meant? Tell it with --resource-group, or write -g"
                    .to_owned(),
            );
        }
    }
    if parsed.plain(Role::Location).as_deref() == Some("") {
        return Err("the region is empty: which is meant?".to_owned());
    }
    if path == "job create" && !parsed.has(Role::Cluster) {
        return Err(
            "which cluster is meant? It is named in the config file only, and the new call needs -c: see \
                    properties.cluster.id there"
                .to_owned(),
        );
    }
    let of_others = [Role::NfsGroup, Role::ClusterGroup];
    let by_order = |role| {
        parsed
            .raw(role)
            .is_some_and(|raw| raw.contains("{}") || raw.contains("%s"))
    };
    let in_id = [Role::Location, Role::Cluster, Role::Nfs]
        .into_iter()
        .chain(of_others);
    if of_others.into_iter().any(|role| parsed.has(role)) && in_id.into_iter().any(by_order) {
        return Err(
            "its fields are filled in by their order, and the id that comes here would need them in another: how              is it to be written?"
                .to_owned(),
        );
    }
    if let Some(sku) = parsed.plain(Role::Sku)
        && is_literal(&sku)
        && !["premium_lrs", "standard_lrs"].contains(&sku.to_lowercase().as_str())
    {
        return Err(format!(
            "--storage-sku {sku} has no successor: is Premium_LRS or Standard_LRS meant?"
        ));
    }
    Ok(())
}

struct Work<'s, 'a> {
    target: &'static Command,
    region: Region,
    writer: Writer<'s, 'a>,
    remarks: Vec<String>,
}

impl Work<'_, '_> {
    fn option(&mut self, source: &Source<'_, '_>, given: &Given<'_>) {
        let role = given.option.role;
        match role {
            Role::Location => {}
            Role::NfsGroup | Role::ClusterGroup => self.writer.remove(given),
            Role::Nfs => self.in_group(source, given, Role::NfsGroup, "fileServers"),
            Role::Cluster if source.parsed.has(Role::ClusterGroup) => {
                self.in_group(source, given, Role::ClusterGroup, "clusters");
            }
            Role::Min | Role::Max if source.parsed.command.path == "cluster create" => {
                self.scale(source, given)
            }
            _ => match self.target.of(role) {
                Some(option) => self.writer.rename(self.target, given, option),
                None => {
                    self.writer.remove(given);
                    self.remarks.push(format!(
                        "{} is gone: `{}` always waits",
                        given.name.raw, self.target.path
                    ));
                }
            },
        }
    }

    /// A file server or cluster which may be of another group: its id is written out then.
    fn in_group(&mut self, source: &Source<'_, '_>, given: &Given<'_>, group: Role, kind: &str) {
        let Some(option) = self.target.of(given.option.role) else {
            return;
        };
        self.writer.rename(self.target, given, option);
        let parsed = source.parsed;
        let (Some(group), Some(value)) = (parsed.raw(group), &given.value) else {
            return;
        };
        let same = |own: &str| same_group(own, group);
        if parsed.raw(Role::Group).is_some_and(same) || value.plain().starts_with('/') {
            return;
        }
        let told = source.known.subscription.clone();
        let own = parsed.raw(Role::Subscription).map(|raw| unwrap(raw).1.to_owned());
        let subscription = own.or(told).or_else(|| source.facts.subscription());
        if subscription.is_none() {
            self.remarks.push(remarks::SUBSCRIPTION.to_owned());
        }
        let subscription = subscription.unwrap_or_else(|| SUBSCRIPTION_MARK.to_owned());
        let location = parsed.raw(Role::Location).unwrap_or(&self.region.text);
        let location = if is_name(unwrap(location).1) {
            &self.region.text
        } else {
            location
        };
        let id = path(
            &[
                ("/subscriptions/", false),
                (&subscription, true),
                ("/resourceGroups/", false),
                (group, true),
                ("/providers/Microsoft.BatchAI/workspaces/migrated-", false),
                (location, true),
                (&format!("/{kind}/"), false),
                (value.raw, true),
            ],
            source.site,
        );
        self.writer.replace(value.span.clone(), id);
    }

    /// `--min` and `--max` of `cluster create`.
    fn scale(&mut self, source: &Source<'_, '_>, given: &Given<'_>) {
        let parsed = source.parsed;
        let zero = |role| parsed.plain(role).as_deref() == Some("0");
        let both_zero = zero(Role::Min) && zero(Role::Max);
        if source.dialect == Dialect::V01 && both_zero && !parsed.has(Role::Target) {
            let target = self.target.of(Role::Target);
            match target.filter(|_| given.option.role == Role::Min) {
                Some(option) => {
                    self.writer.name_only(given, option.long());
                    self.remarks
                        .push("`--min 0 --max 0` counts as absent now: --target 0 says the same".to_owned());
                }
                None => self.writer.remove(given),
            }
        } else if given.option.role == Role::Min && !parsed.has(Role::Max) && source.dialect == Dialect::V01 {
            self.writer.remove(given);
            self.remarks
                .push("--min without --max was ignored and is an error now: it goes".to_owned());
        } else if let Some(option) = self.target.of(given.option.role) {
            self.writer.rename(self.target, given, option);
        }
    }

    /// `-w` comes in the place of `-l`, else at the end.
    fn workspace(&mut self, source: &Source<'_, '_>) {
        let Some(option) = self.target.of(Role::Workspace) else {
            return;
        };
        let places: Vec<_> = source
            .parsed
            .given
            .iter()
            .filter(|given| given.option.role == Role::Location)
            .collect();
        let Some((last, others)) = places.split_last() else {
            let workspace = prefixed("migrated-", &self.region.text, source.site);
            return self.writer.append(option, Some(&workspace));
        };
        for given in others {
            self.writer.remove(given);
        }
        let raw = last.value.as_ref().map_or("", |value| value.raw);
        let raw = if is_name(unwrap(raw).1) {
            &self.region.text
        } else {
            raw
        };
        let workspace = prefixed("migrated-", raw, source.site);
        self.writer.put(last, option, &workspace);
    }

    /// Options that the older version did not need.
    fn come(&mut self, source: &Source<'_, '_>) {
        let parsed = source.parsed;
        let first = source.dialect == Dialect::V01;
        let mut come: Vec<(Option<&'static Opt>, Option<&str>)> = Vec::new();
        let of = |role| self.target.of(role);
        let listing = ["cluster list", "job list", "file-server list"].contains(&parsed.command.path);
        if listing && !parsed.has(Role::Group) && source.facts.group().is_none() {
            come.push((of(Role::Group), source.known.resource_group.as_deref()));
        }
        if first && parsed.command.path == "cluster create" && parsed.has(Role::Max) && !parsed.has(Role::Min)
        {
            come.push((of(Role::Min), Some("0")));
            self.remarks
                .push("0.1 took --max without --min as --min 0".to_owned());
        }
        if first && parsed.command.path == "file-server create" && !parsed.has(Role::Sku) {
            come.push((of(Role::Sku), Some("Premium_LRS")));
            self.remarks
                .push("0.1 took Premium_LRS where no --storage-sku was given".to_owned());
        }
        if first && parsed.command.path == "job terminate" {
            come.push((of(Role::Yes), None));
            self.remarks
                .push("0.1 never asked before it terminated a job: hence --yes".to_owned());
        }
        if self.target.path.starts_with("job ") {
            come.push((of(Role::Experiment), Some(EXPERIMENT)));
        }
        for (option, value) in come {
            if let Some(option) = option {
                self.writer.append(option, value);
            }
        }
    }
}
