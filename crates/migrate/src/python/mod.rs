//! Calls of the Python SDKs 0.2.0 and 1.0.1, and what they become in 2.0.0 (cli-dialects.md section 2).

mod broken;
mod clients;
mod construct;
mod evaluate;
mod fit;
mod models;
mod module;
mod operation_call;
mod operations;
mod properties;
mod references;
mod region;
pub mod replay;
mod strings;

use std::ops::Range;

use tree_sitter::{Node, Tree};

use crate::call::{Call, Verdict};
use crate::known::Known;
use crate::syntax::{ancestors, holds, parse};
use crate::{compose, embedded};
use module::Module;
use region::Regions;

/// Calls of a Python text. Nothing where the text never speaks of Batch AI.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    let folded = text.to_ascii_lowercase();
    if folded.contains("batchai") || folded.contains("batch_ai") {
        snippet(text, known)
    } else {
        Vec::new()
    }
}

/// Calls of a Python text that is known to speak of Batch AI: a piece of a document, a cell of a notebook.
pub fn snippet(text: &str, known: &Known) -> Vec<Call> {
    let Some(tree) = parse(&tree_sitter_python::LANGUAGE.into(), text) else {
        return Vec::new();
    };
    scan(text, known, &tree)
}

fn scan(text: &str, known: &Known, tree: &Tree) -> Vec<Call> {
    let module = Module::new(text, known, tree.root_node());
    let regions = Regions::new(&module);
    let mut calls = Vec::new();
    let mut created = false;
    for node in &module.nodes {
        let before = calls.len();
        visit(&module, &regions, *node, &mut calls);
        if !created && node.kind() == "call" && calls.len() > before {
            created = first_create(&module, &regions, *node, &mut calls[before..]);
        }
    }
    // Constructors last: by then it is known which regions the calls have taken over.
    for node in module
        .nodes
        .iter()
        .filter(|node| node.kind() == "call" && !node.has_error())
    {
        if let Some(model) = models::constructed(&module, *node) {
            calls.extend(construct::calls(&module, &regions, model));
        }
    }
    let found: Vec<Range<usize>> = calls.iter().map(|call| call.span.clone()).collect();
    calls.extend(broken::calls(&module, tree.root_node(), &found));
    calls.sort_by_key(|call| (call.span.start, call.span.end));
    compose::settle(&mut calls);
    calls
}

fn visit<'t>(module: &Module<'t>, regions: &Regions<'t>, node: Node<'t>, calls: &mut Vec<Call>) {
    match node.kind() {
        "call" => visit_call(module, regions, node, calls),
        "attribute" => {
            calls.extend(references::named_only(module, node));
            calls.extend(properties::call(module, node));
            calls.extend(properties::class(module, node));
        }
        "identifier" if !is_part_of_attribute(node) && !module.in_import(node) => {
            calls.extend(properties::class(module, node));
        }
        "import_from_statement" => calls.extend(properties::import(module, node)),
        "string" => {
            calls.extend(strings::flat_ids(module, regions, node));
            calls.extend(strings::commands(module, node));
        }
        "list" if strings::command_list(module, node) => {
            calls.extend(embedded::argument_list(module.of(node), node.start_byte()))
        }
        _ => {}
    }
}

fn is_part_of_attribute(node: Node<'_>) -> bool {
    node.parent()
        .is_some_and(|parent| matches!(parent.kind(), "attribute" | "keyword_argument"))
        && ancestors(node).next().is_some_and(|parent| {
            parent
                .child_by_field_name("attribute")
                .is_some_and(|name| name.id() == node.id())
                || parent
                    .child_by_field_name("name")
                    .is_some_and(|name| name.id() == node.id())
        })
}

fn visit_call<'t>(module: &Module<'t>, regions: &Regions<'t>, node: Node<'t>, calls: &mut Vec<Call>) {
    if let Some(site) = references::site(module, node) {
        if node.has_error() {
            if operations::method(module.of(site.target.group), module.of(site.method)).is_some() {
                calls.push(not_parsed(module, node, &site));
            }
            return;
        }
        calls.extend(operation_call::call(module, regions, &site));
        return;
    }
    if models::constructed(module, node).is_some() {
        return;
    }
    calls.extend(references::handed_on(module, node));
}

fn not_parsed<'t>(module: &Module<'t>, node: Node<'t>, site: &operation_call::Site<'t>) -> Call {
    Call {
        span: node.byte_range(),
        what: format!("{}.{}", module.of(site.target.group), module.of(site.method)),
        verdict: Verdict::Undecided(format!(
            "Line {} does not parse as Python, so nothing was changed there. What is missing, a comma?",
            crate::syntax::line_of(module.text, node.start_byte())
        )),
        remarks: Vec::new(),
    }
}

/// Adds to the first create that was rewritten what has to be made before it.
fn first_create<'t>(module: &Module<'t>, regions: &Regions<'t>, node: Node<'t>, found: &mut [Call]) -> bool {
    let Some(site) = references::site(module, node) else {
        return false;
    };
    let Some(call) = found
        .iter_mut()
        .find(|call| matches!(call.verdict, Verdict::Rewritten(_)) && holds(&node.byte_range(), &call.span))
    else {
        return false;
    };
    let Some(remark) = operation_call::first_create(module, regions, &site) else {
        return false;
    };
    call.remarks.push(remark);
    true
}
