//! Java: `com.microsoft.azure.management.batchai`.

use tree_sitter::Node;

use super::{Found, Group, made, report, reported, speaks};
use crate::call::Call;
use crate::known::Known;
use crate::syntax::{named, nodes, parse, text_of};

/// Calls of a Java text.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    if !speaks(text) {
        return Vec::new();
    }
    let Some(tree) = parse(&tree_sitter_java::LANGUAGE.into(), text) else {
        return Vec::new();
    };
    nodes(tree.root_node())
        .into_iter()
        .filter_map(|node| match node.kind() {
            "method_invocation" => invocation(node, text, known),
            "object_creation_expression" => {
                let class = text_of(node.child_by_field_name("type")?, text);
                made(node, class, &whole_chain(node, text))
            }
            _ => None,
        })
        .collect()
}

/// `manager.inner().clusters().get(…)`, `manager.clusters().define(…)`.
fn invocation(node: Node<'_>, text: &str, known: &Known) -> Option<Call> {
    let object = node.child_by_field_name("object")?;
    if object.kind() != "method_invocation" {
        return None;
    }
    let group_name = text_of(object.child_by_field_name("name")?, text);
    let group = Group::of(group_name)?;
    let method = text_of(node.child_by_field_name("name")?, text);
    let what = format!("{group_name}().{method}");
    let holder = object
        .child_by_field_name("object")
        .map_or("", |holder| text_of(holder, text))
        .to_ascii_lowercase();
    if holder.contains("workspace") || holder.contains("experiment") {
        return None;
    }
    if method == "define" {
        let of = if group.is_job() { "experiment" } else { "workspace" };
        return Some(reported(
            node,
            &what,
            &format!(
                "Define it from its {of}: `{of}.{group_name}().define(…)`, without region and resource group; both are the \
                 workspace's."
            ),
        ));
    }
    let arguments = named(node.child_by_field_name("arguments")?)
        .into_iter()
        .map(|argument| text_of(argument, text))
        .collect();
    report(
        &Found {
            call: node,
            group,
            what,
            method,
            arguments,
        },
        known,
    )
}

/// A creation and what is called on it: `new Parameters().withLocation(…)`.
fn whole_chain(node: Node<'_>, text: &str) -> String {
    let mut outer = node;
    while let Some(parent) = outer.parent()
        && parent.kind() == "method_invocation"
        && parent
            .child_by_field_name("object")
            .is_some_and(|object| object.id() == outer.id())
    {
        outer = parent;
    }
    text_of(outer, text).to_owned()
}
