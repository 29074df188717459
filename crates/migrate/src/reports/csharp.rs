//! C#: `Microsoft.Azure.Management.BatchAI`.

use tree_sitter::Node;

use super::{Found, Group, made, report, speaks};
use crate::call::Call;
use crate::known::Known;
use crate::syntax::{named, nodes, parse, text_of};

/// Calls of a C# text.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    if !speaks(text) {
        return Vec::new();
    }
    let Some(tree) = parse(&tree_sitter_c_sharp::LANGUAGE.into(), text) else {
        return Vec::new();
    };
    nodes(tree.root_node())
        .into_iter()
        .filter_map(|node| match node.kind() {
            "invocation_expression" => invocation(node, text, known),
            "object_creation_expression" => {
                let class = text_of(node.child_by_field_name("type")?, text);
                let class = class.rsplit('.').next().unwrap_or(class);
                // Its first positional argument was the location.
                let positional = node
                    .child_by_field_name("arguments")
                    .is_some_and(|list| !named(list).is_empty());
                let written = text_of(node, text);
                let hint = if positional { " location" } else { "" };
                made(node, class, &format!("{written}{hint}"))
            }
            _ => None,
        })
        .collect()
}

/// `client.Clusters.CreateAsync(…)`.
fn invocation(node: Node<'_>, text: &str, known: &Known) -> Option<Call> {
    let function = node.child_by_field_name("function")?;
    if function.kind() != "member_access_expression" {
        return None;
    }
    let object = function.child_by_field_name("expression")?;
    let group_name = text_of(object.child_by_field_name("name")?, text);
    let group = Group::of(group_name)?;
    let method = text_of(function.child_by_field_name("name")?, text);
    let arguments = named(node.child_by_field_name("arguments")?)
        .into_iter()
        .map(|argument| text_of(argument, text))
        .collect();
    report(
        &Found {
            call: node,
            group,
            what: format!("{group_name}.{method}"),
            method,
            arguments,
        },
        known,
    )
}
