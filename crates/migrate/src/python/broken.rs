//! Pieces that do not parse: they are named with their line, never passed over.

use std::ops::Range;

use tree_sitter::Node;

use super::module::Module;
use super::operations::{self, GROUPS, Method};
use crate::call::{Call, Verdict};
use crate::syntax::{ancestors, holds, line_of};

/// Everything that looks like an operation or create parameters, stands in a broken piece and was not found.
pub fn calls<'t>(module: &Module<'t>, root: Node<'t>, found: &[Range<usize>]) -> Vec<Call> {
    if !root.has_error() {
        return Vec::new();
    }
    looks_like_calls(module.text)
        .into_iter()
        .filter(|(at, _)| !found.iter().any(|span| holds(span, at)))
        .filter(|(at, _)| is_code(root, at))
        .map(|(at, what)| Call {
            verdict: Verdict::Undecided(format!(
                "Line {} does not parse as Python, so nothing was changed there. What is missing, a comma?",
                line_of(module.text, at.start)
            )),
            span: at,
            what,
            remarks: Vec::new(),
        })
        .collect()
}

/// `.jobs.create(` and the like, by their text alone.
fn looks_like_calls(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    for group in GROUPS {
        for (at, _) in text.match_indices(&format!(".{group}.")) {
            let start = at + group.len() + 2;
            let rest = text.get(start..).unwrap_or_default();
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let name = rest.get(..end).unwrap_or_default();
            let called = rest
                .get(end..)
                .is_some_and(|after| after.trim_start().starts_with('('));
            let old = operations::method(group, name).is_some_and(|method| method != Method::New);
            if called && old {
                found.push((at + 1..start + end, format!("{group}.{name}")));
            }
        }
    }
    found.sort_by_key(|(at, _)| at.start);
    found
}

fn is_code(root: Node<'_>, at: &Range<usize>) -> bool {
    root.descendant_for_byte_range(at.start, at.end)
        .is_some_and(|node| {
            !std::iter::once(node)
                .chain(ancestors(node))
                .any(|outer| matches!(outer.kind(), "comment" | "string_content"))
        })
}
