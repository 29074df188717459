//! What a person should know about a call although it was decided.

use super::facts::Region;
use super::grammar::{Dialect, Role};
use super::parse::Parsed;
use super::translate::Source;
use crate::known::EXPERIMENT;

pub const SUBSCRIPTION: &str = "the subscription is not in the text: put its id in the place of SUBSCRIPTION";
const REGION: &str = "the region is not in the call: put it in the place of REGION";

/// Remarks of a translated call.
pub fn of_old(source: &Source<'_, '_>, region: &Region, remarks: &mut Vec<String>) {
    let parsed = source.parsed;
    if !region.is_known() {
        remarks.push(REGION.to_owned());
    }
    if let Some((name, value)) = display_name(source.site.text, &region.text) {
        remarks.push(format!(
            "{name} is {value:?} in this text: it has to be the short name, as in westeurope"
        ));
    }
    if let Some(from) = region.from {
        remarks.push(format!("the region {} is from {from}", region.text));
    }
    if ["cluster list", "job list", "file-server list"].contains(&parsed.command.path) {
        remarks.push("it lists one workspace: repeat it for each migrated workspace of the group".to_owned());
    }
    let image_of_01 = parsed.command.path == "cluster create"
        && source.dialect == Dialect::V01
        && parsed.has(Role::Config)
        && !parsed.has(Role::Image);
    if image_of_01 {
        remarks.push("0.1 took UbuntuLTS whatever the file said: add `-i UbuntuLTS` to keep that".to_owned());
    }
    output(parsed, remarks);
}

/// Remarks of a call that is one of 0.3 already.
pub fn of_current(parsed: &Parsed<'_>) -> Vec<String> {
    let mut remarks = Vec::new();
    let bare =
        parsed.command.path == "file-server create" && !parsed.has(Role::Sku) && !parsed.has(Role::Config);
    if bare {
        remarks.push("it fails when it runs: there is no --storage-sku and no file".to_owned());
    }
    remarks
}

/// A variable that was given the display name of a region somewhere in the text: its name and that value.
fn display_name(text: &str, region: &str) -> Option<(String, String)> {
    let name = region.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    if name.is_empty() || !region.starts_with(['$', '%']) {
        return None;
    }
    let given = |line: &str| {
        let (_, rest) = line
            .split_once(name)
            .filter(|(before, _)| !before.ends_with(|c: char| c.is_alphanumeric()))?;
        let value = rest.trim_start_matches([' ', ':', '?']).strip_prefix('=')?.trim();
        let value = value.trim_matches(['"', '\'', ';']);
        let display = value.contains(' ') || value.chars().any(|c| c.is_ascii_uppercase());
        let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ');
        (display && plain).then(|| value.to_owned())
    };
    Some((name.to_owned(), text.lines().find_map(given)?))
}

/// Scripts that read what the call prints.
fn output(parsed: &Parsed<'_>, remarks: &mut Vec<String>) {
    let query = parsed.plain(Role::Query);
    let format = parsed.plain(Role::Output).unwrap_or_default();
    if format == "tsv" && query.is_none() {
        remarks.push("the order of the columns has changed: name what is read, with --query".to_owned());
    }
    let Some(query) = query else { return };
    let gone = [
        "location",
        "tags",
        "priority",
        "experimentName",
        "additionalProperties",
    ];
    for member in gone.into_iter().filter(|member| names(&query, member)) {
        remarks.push(format!("{member} is no longer in what it prints"));
    }
    if names(&query, "isDirectory") {
        remarks.push("isDirectory became fileType".to_owned());
    }
    if names(&query, "jobOutputDirectoryPathSegment") || names(&query, "id") {
        remarks.push("the paths that it prints have workspaces/ and experiments/ in them now".to_owned());
    }
}

/// Whether a query has this word.
fn names(query: &str, member: &str) -> bool {
    query
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| word == member)
}

/// The commands that make what a translated `create` needs.
pub fn creates(group: Option<&str>, region: &str, workspace: &str) -> [String; 2] {
    let group = group.map(|group| format!(" -g {group}")).unwrap_or_default();
    [
        format!("az batchai workspace create{group} -n {workspace} -l {region}"),
        format!("az batchai experiment create{group} -w {workspace} -n {EXPERIMENT}"),
    ]
}
