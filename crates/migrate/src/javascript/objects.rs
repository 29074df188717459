//! Bodies of create calls: object literals, in the call or in a variable before it.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::operations::is_seen;
use super::{Script, replace};
use crate::arguments::remove;
use crate::call::{Call, Verdict};
use crate::syntax::{ancestors, named};

/// Members that only bodies of Batch AI have.
const TELLING: [&str; 6] = [
    "vmSize",
    "nodeCount",
    "stdOutErrPathPrefix",
    "userAccountSettings",
    "dataDisks",
    "sshConfiguration",
];

/// What becomes of an object literal.
pub fn calls<'t>(script: &Script<'t>, node: Node<'t>) -> Vec<Call> {
    if node.kind() != "object" {
        return Vec::new();
    }
    let members = named(node);
    let has = |name: &str| members.iter().any(|member| key(script, *member) == Some(name));
    let body = TELLING.iter().filter(|name| has(name)).count() > 0;
    let mut out = Vec::new();
    let mut edits = Vec::new();
    let mut remarks = Vec::new();
    let mut calls = Vec::new();
    let several = regions(script, node).len() > 1;
    for (place, member) in members.iter().enumerate() {
        let Some(name) = key(script, *member) else {
            continue;
        };
        let value = member.child_by_field_name("value");
        match name {
            "location" if body && several => calls.push(asked(
                *member,
                "This file names several regions. Give the calls their workspace `migrated-` and the region, then take \
                 `location` out.",
            )),
            "location" if body => out.push(place),
            "tags" | "experimentName" if body || is_update(script, node, name) => {
                out.push(place);
                remarks.push(format!("`{name}` was taken out: the workspace has it, or the experiment is part of the call."));
            }
            "priority" if body => match value.and_then(|value| script.of(value).parse::<i64>().ok()) {
                Some(0) => out.push(place),
                Some(number) => {
                    let word = if number < 0 { "low" } else { "high" };
                    edits.push(replace(*member, &format!("schedulingPriority: '{word}'")));
                    remarks.push(format!("The priority {number} became {word}."));
                }
                None => calls.push(asked(*member, "Which of low (below 0), normal (0), high (above 0) is this priority?")),
            },
            "createNew" | "runElevated" => {
                out.push(place);
                if value.is_some_and(|value| script.of(value) != "true") {
                    remarks.push(format!("`{name}` was taken out; it is always true now."));
                }
            }
            "type" if in_list(script, node, "outputDirectories") => out.push(place),
            _ => {}
        }
    }
    let spans: Vec<_> = members.iter().map(Node::byte_range).collect();
    edits.extend(remove(script.text, &spans, &out));
    if !edits.is_empty() {
        calls.push(Call {
            span: node.byte_range(),
            what: "parameters".to_owned(),
            verdict: Verdict::Rewritten(edits),
            remarks,
        });
    }
    calls
}

fn asked(node: Node<'_>, question: &str) -> Call {
    Call {
        span: node.byte_range(),
        what: "parameters".to_owned(),
        verdict: Verdict::Undecided(question.to_owned()),
        remarks: Vec::new(),
    }
}

fn key<'t>(script: &Script<'t>, member: Node<'t>) -> Option<&'t str> {
    match member.kind() {
        "pair" => member
            .child_by_field_name("key")
            .map(|key| script.of(key).trim_matches(['\'', '"'])),
        "shorthand_property_identifier" => Some(script.of(member)),
        _ => None,
    }
}

/// `{tags, scaleSettings}` of `clusters.update`: the tags go only beside something else.
fn is_update<'t>(script: &Script<'t>, object: Node<'t>, name: &str) -> bool {
    name == "tags"
        && named(object)
            .iter()
            .any(|member| key(script, *member) == Some("scaleSettings"))
}

/// Does the update change nothing but tags?
pub fn only_tags<'t>(script: &Script<'t>, object: Node<'t>) -> bool {
    let members = named(object);
    object.kind() == "object"
        && !members.is_empty()
        && members.iter().all(|member| key(script, *member) == Some("tags"))
}

/// Are these options of a request, no body?
pub fn is_options<'t>(script: &Script<'t>, object: Node<'t>) -> bool {
    named(object).iter().all(|member| {
        matches!(
            key(script, *member),
            Some("customHeaders" | "abortSignal" | "timeout")
        )
    })
}

fn in_list<'t>(script: &Script<'t>, object: Node<'t>, list: &str) -> bool {
    ancestors(object)
        .find(|outer| outer.kind() == "pair")
        .is_some_and(|pair| key(script, pair) == Some(list))
}

/// The value of `location` of a body.
fn location<'t>(script: &Script<'t>, object: Node<'t>) -> Option<Node<'t>> {
    let members = named(object);
    let body = members
        .iter()
        .any(|member| key(script, *member).is_some_and(|name| TELLING.contains(&name)));
    members
        .into_iter()
        .find(|member| body && key(script, *member) == Some("location"))
        .map(|member| member.child_by_field_name("value").unwrap_or(member))
}

/// The expression of the workspace for a location.
fn expression<'t>(script: &Script<'t>, location: Node<'t>) -> Option<String> {
    if let Some(text) = script.literal(location) {
        let name: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        return Some(format!("'migrated-{}'", name.to_ascii_lowercase()));
    }
    matches!(
        location.kind(),
        "identifier" | "member_expression" | "subscript_expression" | "shorthand_property_identifier"
    )
    .then(|| format!("'migrated-' + {}", script.of(location)))
}

/// Every region that is seen from `at`, as the workspace's expression.
fn regions<'t>(script: &Script<'t>, at: Node<'t>) -> BTreeMap<String, Node<'t>> {
    script
        .nodes
        .iter()
        .filter(|node| node.kind() == "object")
        .filter_map(|object| location(script, *object))
        .filter(|found| script.literal(*found).is_some() || is_seen(script, *found, at))
        .filter_map(|found| Some((expression(script, found)?, found)))
        .collect()
}

/// The workspace of a call whose body is `body`.
///
/// # Errors
///
/// The question, where the file names several regions.
pub fn workspace<'t>(script: &Script<'t>, call: Node<'t>, body: Option<Node<'t>>) -> Result<String, String> {
    let object = body.and_then(|body| match body.kind() {
        "object" => Some(body),
        "identifier" => script.value_of(script.of(body)),
        _ => None,
    });
    if let Some(own) = object
        .and_then(|object| location(script, object))
        .filter(|own| script.literal(*own).is_some() || is_seen(script, *own, call))
        .and_then(|own| expression(script, own))
    {
        return Ok(own);
    }
    let seen = regions(script, call);
    let mut names = seen.into_keys();
    match (names.next(), names.next()) {
        (None, _) => Ok(format!("'{}'", script.known.workspace(None))),
        (Some(one), None) => Ok(one),
        (Some(one), Some(other)) => match &script.known.location {
            Some(location) => Ok(format!("'{}'", script.known.workspace(Some(location)))),
            None => Err(format!(
                "This file makes things in several regions: the workspaces {one}, {other}. In which one is this?"
            )),
        },
    }
}
