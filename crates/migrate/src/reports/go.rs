//! Go: `github.com/Azure/azure-sdk-for-go/services/batchai`.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::{Found, Group, made, report, reported, speaks};
use crate::call::Call;
use crate::known::Known;
use crate::syntax::{named, nodes, parse, text_of};

/// Calls of a Go text.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    if !speaks(text) {
        return Vec::new();
    }
    let Some(tree) = parse(&tree_sitter_go::LANGUAGE.into(), text) else {
        return Vec::new();
    };
    let all = nodes(tree.root_node());
    let clients = clients(&all, text);
    all.into_iter()
        .filter_map(|node| match node.kind() {
            "import_spec" => import(node, text),
            "call_expression" => invocation(node, text, &clients, known),
            "composite_literal" => {
                let class = text_of(node.child_by_field_name("type")?, text);
                made(
                    node,
                    class.rsplit('.').next().unwrap_or(class),
                    text_of(node, text),
                )
            }
            _ => None,
        })
        .collect()
}

fn import(node: Node<'_>, text: &str) -> Option<Call> {
    let path = text_of(node.child_by_field_name("path")?, text);
    let old =
        path.contains("/batchai/") && (path.contains("2017-09-01-preview") || path.contains("2018-03-01"));
    old.then(|| {
        reported(
            node,
            "import of batchai",
            "Import `github.com/Azure/azure-sdk-for-go/services/batchai/mgmt/2018-05-01/batchai`.",
        )
    })
}

/// Names that hold a client of a group: by their constructor, by their type.
fn clients<'t>(all: &[Node<'t>], text: &'t str) -> BTreeMap<&'t str, Group> {
    let mut found = BTreeMap::new();
    for node in all {
        let (names, made) = match node.kind() {
            "short_var_declaration" | "assignment_statement" => (
                node.child_by_field_name("left"),
                node.child_by_field_name("right"),
            ),
            "var_spec" | "parameter_declaration" | "field_declaration" => {
                (node.child_by_field_name("name"), node.child_by_field_name("type"))
            }
            _ => continue,
        };
        let (Some(names), Some(made)) = (names, made) else {
            continue;
        };
        let Some(group) = group_in(text_of(made, text)) else {
            continue;
        };
        let first = if names.kind() == "expression_list" {
            named(names).into_iter().next().unwrap_or(names)
        } else {
            names
        };
        found.insert(text_of(first, text), group);
    }
    found
}

/// `batchai.NewClustersClient(…)`, `batchai.ClustersClient`, `getClustersClient()`.
fn group_in(text: &str) -> Option<Group> {
    let head = text.split(['(', '{']).next().unwrap_or(text);
    let name = head.rsplit('.').next().unwrap_or(head);
    ["Clusters", "Jobs", "FileServers", "Usage"]
        .into_iter()
        .find(|group| name.contains(&format!("{group}Client")))
        .and_then(Group::of)
}

fn invocation(node: Node<'_>, text: &str, clients: &BTreeMap<&str, Group>, known: &Known) -> Option<Call> {
    let function = node.child_by_field_name("function")?;
    if function.kind() != "selector_expression" {
        return None;
    }
    let object = function.child_by_field_name("operand")?;
    let holder = text_of(object, text);
    let last = holder.rsplit('.').next().unwrap_or(holder);
    let group = clients
        .get(holder)
        .or_else(|| clients.get(last))
        .copied()
        .or_else(|| {
            (object.kind() == "call_expression")
                .then(|| group_in(holder))
                .flatten()
        })?;
    let method = text_of(function.child_by_field_name("field")?, text);
    let arguments: Vec<&str> = named(node.child_by_field_name("arguments")?)
        .into_iter()
        .map(|argument| text_of(argument, text))
        // The context comes first, in the older versions and now.
        .skip_while(|argument| argument.contains("ctx") || argument.contains("context"))
        .collect();
    report(
        &Found {
            call: node,
            group,
            what: format!("{last}.{method}"),
            method,
            arguments,
        },
        known,
    )
}
