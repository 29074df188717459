//! Calls of `azure-arm-batchai` 0.1 and 1.0, and what they become in `@azure/arm-batchai` (cli-dialects.md
//! section 2.4).

mod objects;
mod operations;

use tree_sitter::Node;

use crate::call::{Call, Verdict};
use crate::compose;
use crate::edit::Edit;
use crate::known::Known;
use crate::syntax::{ancestors, named, nodes, parse, text_of};

const OLD_PACKAGE: &str = "azure-arm-batchai";
const NEW_PACKAGE: &str = "@azure/arm-batchai";

/// Calls of a JavaScript or TypeScript text. Nothing where the text never speaks of Batch AI.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    if !text.to_ascii_lowercase().contains("batchai") {
        return Vec::new();
    }
    let Some(tree) = parse(&tree_sitter_javascript::LANGUAGE.into(), text) else {
        return Vec::new();
    };
    let script = Script {
        text,
        known,
        nodes: nodes(tree.root_node()),
    };
    let mut calls: Vec<Call> = script
        .nodes
        .iter()
        .flat_map(|node| visit(&script, *node))
        .collect();
    calls.extend(
        script
            .nodes
            .iter()
            .flat_map(|node| objects::calls(&script, *node)),
    );
    calls.sort_by_key(|call| (call.span.start, call.span.end));
    compose::settle(&mut calls);
    calls
}

/// A parsed text.
struct Script<'t> {
    text: &'t str,
    known: &'t Known,
    nodes: Vec<Node<'t>>,
}

impl<'t> Script<'t> {
    fn of(&self, node: Node<'_>) -> &'t str {
        text_of(node, self.text)
    }

    /// The inside of a plain string.
    fn literal(&self, node: Node<'_>) -> Option<&'t str> {
        (node.kind() == "string").then(|| self.of(node).trim_matches(['\'', '"', '`']))
    }

    /// What `const name = value` gave a name.
    fn value_of(&self, name: &str) -> Option<Node<'t>> {
        self.nodes
            .iter()
            .filter(|node| node.kind() == "variable_declarator")
            .filter(|node| {
                node.child_by_field_name("name")
                    .is_some_and(|left| self.of(left) == name)
            })
            .filter_map(|node| node.child_by_field_name("value"))
            .next_back()
    }
}

fn visit<'t>(script: &Script<'t>, node: Node<'t>) -> Vec<Call> {
    match node.kind() {
        "call_expression" => operations::call(script, node)
            .into_iter()
            .chain(require(script, node))
            .collect(),
        "import_statement" => import(script, node).into_iter().collect(),
        "member_expression" => is_directory(script, node).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn replace(node: Node<'_>, text: &str) -> Edit {
    Edit {
        span: node.byte_range(),
        text: text.to_owned(),
    }
}

/// `const Client = require('azure-arm-batchai')`: the class was the module itself.
fn require<'t>(script: &Script<'t>, node: Node<'t>) -> Option<Call> {
    let function = node.child_by_field_name("function")?;
    let first = named(node.child_by_field_name("arguments")?).into_iter().next()?;
    if script.of(function) != "require" || script.literal(first) != Some(OLD_PACKAGE) {
        return None;
    }
    let declarator = node
        .parent()
        .filter(|parent| parent.kind() == "variable_declarator")
        .and_then(|parent| parent.child_by_field_name("name"))
        .filter(|name| name.kind() == "identifier");
    let quote = script.of(first).get(..1).unwrap_or("'");
    let verdict = match declarator {
        Some(name) => {
            let written = script.of(name);
            let taken = if written == "BatchAIManagementClient" {
                "{ BatchAIManagementClient }".to_owned()
            } else {
                format!("{{ BatchAIManagementClient: {written} }}")
            };
            Verdict::Rewritten(vec![
                replace(name, &taken),
                replace(first, &format!("{quote}{NEW_PACKAGE}{quote}")),
            ])
        }
        None => Verdict::Reported(format!(
            "Take the class from the new package: `const {{ BatchAIManagementClient }} = require('{NEW_PACKAGE}')`."
        )),
    };
    Some(Call {
        span: node.byte_range(),
        what: format!("require('{OLD_PACKAGE}')"),
        verdict,
        remarks: vec![format!(
            "package.json needs `{NEW_PACKAGE}` in the place of `{OLD_PACKAGE}`."
        )],
    })
}

fn import<'t>(script: &Script<'t>, node: Node<'t>) -> Option<Call> {
    let source = node.child_by_field_name("source")?;
    (script.literal(source) == Some(OLD_PACKAGE)).then(|| Call {
        span: node.byte_range(),
        what: format!("import of {OLD_PACKAGE}"),
        verdict: Verdict::Reported(format!(
            "Take the class from the new package: `import {{ BatchAIManagementClient }} from '{NEW_PACKAGE}'`."
        )),
        remarks: Vec::new(),
    })
}

/// `file.isDirectory` became a word.
fn is_directory<'t>(script: &Script<'t>, node: Node<'t>) -> Option<Call> {
    let object = node.child_by_field_name("object")?;
    let property = node.child_by_field_name("property")?;
    let parent = node.parent()?;
    let other = |field: &str| {
        parent
            .child_by_field_name(field)
            .is_some_and(|found| found.id() == node.id())
    };
    if script.of(property) != "isDirectory"
        || other("function")
        || other("left") && parent.kind() == "assignment_expression"
    {
        return None;
    }
    let tight = matches!(
        parent.kind(),
        "unary_expression" | "binary_expression" | "member_expression" | "await_expression"
    ) && !matches!(operator(script, parent), "&&" | "||");
    let mut edits = vec![Edit {
        span: object.end_byte()..node.end_byte(),
        text: format!(".fileType === 'directory'{}", if tight { ")" } else { "" }),
    }];
    if tight {
        edits.push(Edit {
            span: node.start_byte()..node.start_byte(),
            text: "(".to_owned(),
        });
    }
    Some(Call {
        span: node.byte_range(),
        what: ".isDirectory".to_owned(),
        verdict: Verdict::Rewritten(edits),
        remarks: Vec::new(),
    })
}

fn operator<'t>(script: &Script<'t>, node: Node<'t>) -> &'t str {
    node.child_by_field_name("operator")
        .map_or("", |found| script.of(found))
}

/// The bytes of the function around `node`, of all where it stands in none.
fn function_of(node: Node<'_>) -> Option<Node<'_>> {
    ancestors(node).find(|outer| {
        matches!(
            outer.kind(),
            "function_declaration" | "function_expression" | "arrow_function" | "method_definition"
        )
    })
}
