//! Operations: which arguments are names, and where workspace and experiment go.

use tree_sitter::Node;

use super::{Script, function_of, objects, replace};
use crate::arguments::insert_second;
use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::known::EXPERIMENT;
use crate::syntax::{holds, named};

/// What a method takes after the resource group in the older versions.
fn takes(group: &str, method: &str) -> Option<usize> {
    let job = group == "jobs";
    match method {
        "get" | "deleteMethod" | "beginDeleteMethod" | "listRemoteLoginInformation" => Some(1),
        "terminate" | "beginTerminate" if job => Some(1),
        "create" | "beginCreate" => Some(2),
        "update" if group == "clusters" => Some(2),
        "listOutputFiles" if job => Some(2),
        "listByResourceGroup" => Some(0),
        _ => None,
    }
}

/// What becomes of a call; nothing where it is none of Batch AI.
pub fn call<'t>(script: &Script<'t>, node: Node<'t>) -> Option<Call> {
    let function = node.child_by_field_name("function")?;
    let method = function.child_by_field_name("property")?;
    let holder = function.child_by_field_name("object")?;
    let group = holder.child_by_field_name("property")?;
    let client = holder.child_by_field_name("object")?;
    if !is_client(script, client) {
        return None;
    }
    let name = script.of(group);
    if !matches!(name, "clusters" | "jobs" | "fileServers" | "usageOperations") {
        return None;
    }
    let verdict = verdict(script, node, group, method)?;
    Some(Call {
        span: node.byte_range(),
        what: format!("{name}.{}", script.of(method)),
        verdict,
        remarks: Vec::new(),
    })
}

/// Is it a client, by how it was made or how it is named?
fn is_client<'t>(script: &Script<'t>, node: Node<'t>) -> bool {
    let written = script.of(node);
    if let Some(value) = script.value_of(written)
        && value.kind() == "new_expression"
    {
        let class = value
            .child_by_field_name("constructor")
            .map_or("", |class| script.of(class));
        let from = script.value_of(class).map_or("", |value| script.of(value));
        return class.contains("BatchAI") || from.contains("batchai") || !class.ends_with("Client");
    }
    let last = written.rsplit('.').next().unwrap_or(written).to_ascii_lowercase();
    last.contains("client") || last.contains("batchai")
}

fn verdict<'t>(script: &Script<'t>, node: Node<'t>, group: Node<'t>, method: Node<'t>) -> Option<Verdict> {
    let (name, called) = (script.of(group), script.of(method));
    if name == "usageOperations" {
        return (called == "list").then(|| Verdict::Rewritten(vec![replace(group, "usages")]));
    }
    if let Some(plain) = called.strip_suffix("WithHttpOperationResponse") {
        return Some(Verdict::Undecided(format!(
            "`{called}` is gone: `{plain}` gives the result, its `_response` the rest. How is it used here?"
        )));
    }
    let job = name == "jobs";
    if called == "list" {
        let list = if job {
            "listByExperiment"
        } else {
            "listByWorkspace"
        };
        return Some(Verdict::Undecided(format!(
            "`{name}.list()` is gone. Walk over `workspaces.list()` and use `{name}.{list}`; or which workspace is meant?"
        )));
    }
    if matches!(called, "listByWorkspace" | "listByExperiment") {
        return Some(Verdict::Current);
    }
    let takes = takes(name, called)?;
    let arguments = named(node.child_by_field_name("arguments")?);
    if arguments
        .iter()
        .any(|argument| argument.kind() == "spread_element")
    {
        return Some(Verdict::Undecided(
            "The arguments are spread. The workspace belongs behind the resource group; where is that?"
                .to_owned(),
        ));
    }
    let parents = if job { 2 } else { 1 };
    match given(script, &arguments, takes) {
        count if count == 1 + takes => {}
        count if count == 1 + takes + parents => return Some(Verdict::Current),
        count => {
            return Some(Verdict::Undecided(format!(
                "{count} arguments fit neither the older versions ({}) nor the new one ({}). Which are these?",
                1 + takes,
                1 + takes + parents
            )));
        }
    }
    let body = (takes == 2).then(|| arguments.get(2).copied()).flatten();
    if called == "update" && body.is_some_and(|body| objects::only_tags(script, body)) {
        return Some(Verdict::Undecided(
            "This sets tags, which only a workspace has now: `workspaces.update(resourceGroup, workspace, { tags })`. Is \
             that meant?"
                .to_owned(),
        ));
    }
    let workspace = match objects::workspace(script, node, body) {
        Ok(workspace) => workspace,
        Err(question) => return Some(Verdict::Undecided(question)),
    };
    let mut new = vec![workspace];
    if job {
        new.push(format!("'{EXPERIMENT}'"));
    }
    let spans: Vec<_> = arguments.iter().map(Node::byte_range).collect();
    let mut edits: Vec<Edit> = insert_second(script.text, &spans, &new).into_iter().collect();
    if called == "listByResourceGroup" {
        edits.push(replace(
            method,
            if job {
                "listByExperiment"
            } else {
                "listByWorkspace"
            },
        ));
    }
    Some(Verdict::Rewritten(edits))
}

/// How many arguments are names and bodies: options and callbacks at the end don't count.
fn given<'t>(script: &Script<'t>, arguments: &[Node<'t>], takes: usize) -> usize {
    let mut count = arguments.len();
    while let Some(last) = count.checked_sub(1).and_then(|place| arguments.get(place)) {
        let function = matches!(last.kind(), "arrow_function" | "function_expression");
        let word = script.of(*last).to_ascii_lowercase();
        let callback = matches!(
            word.as_str(),
            "cb" | "callback" | "done" | "next" | "options" | "null" | "undefined"
        );
        let options = last.kind() == "object" && (takes < 2 || objects::is_options(script, *last));
        if !(function || callback || options) {
            break;
        }
        count -= 1;
    }
    count
}

/// Can `name` be used at `at`: is it declared outside of functions, or in one around it?
pub fn is_seen<'t>(script: &Script<'t>, name: Node<'t>, at: Node<'t>) -> bool {
    let root = script.of(name).split(['.', '[']).next().unwrap_or_default();
    let declared = script
        .nodes
        .iter()
        .filter(|node| matches!(node.kind(), "variable_declarator" | "import_specifier"))
        .find(|node| {
            node.child_by_field_name("name")
                .is_some_and(|left| script.of(left) == root)
        });
    let scope = declared.map_or_else(|| function_of(name), |found| function_of(*found));
    scope.is_none_or(|function| holds(&function.byte_range(), &at.byte_range()))
}
