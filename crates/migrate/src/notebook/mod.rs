//! Notebooks: a JSON file whose cells hold Python and command lines. Cells of one notebook know each other's
//! names, so they are scanned as one text.

mod cells;
mod magic;

use std::ops::Range;

use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::json::read::{self, Value};
use crate::known::Known;
use crate::{compose, embedded, json, python};
use cells::Cells;
use magic::Other;

/// Calls of the notebook `text`.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    let Ok(root) = read::read(text) else {
        return Vec::new();
    };
    if !is_python(&root) {
        return Vec::new();
    }
    let cells = cells::read(text, &root);
    let mut code = cells.text.clone();
    let others: Vec<Other> = cells
        .spans
        .iter()
        .flat_map(|cell| magic::blank(&mut code, cell.clone()))
        .collect();
    let mut found = python::calls(&code, known);
    for other in others {
        found.extend(other_calls(&cells, other, known));
    }
    found.sort_by_key(|call| (call.span.start, call.span.end));
    let mut calls: Vec<Call> = found
        .into_iter()
        .filter_map(|call| placed(text, &cells, call))
        .collect();
    compose::settle(&mut calls);
    calls
}

/// A notebook of another language has other cells.
fn is_python(root: &Value) -> bool {
    let language = || {
        let info = root.get("metadata")?;
        let named = info
            .get("kernelspec")
            .and_then(|kernel| kernel.get("language"))
            .or_else(|| {
                info.get("language_info")
                    .and_then(|language| language.get("name"))
            })?;
        named.text()
    };
    language().is_none_or(|name| name.eq_ignore_ascii_case("python"))
}

fn other_calls(cells: &Cells, other: Other, known: &Known) -> Vec<Call> {
    let (span, found) = match other {
        Other::Shell(span) => {
            let calls = embedded::shell(cells.text.get(span.clone()).unwrap_or_default(), known);
            (span, calls)
        }
        Other::File { name, text } => {
            let piece = cells.text.get(text.clone()).unwrap_or_default();
            let calls = if name.ends_with(".json") {
                json::calls(piece, known)
            } else if name.ends_with(".py") {
                python::calls(piece, known)
            } else if name.ends_with(".sh") {
                embedded::shell(piece, known)
            } else {
                Vec::new()
            };
            (text, calls)
        }
    };
    found
        .into_iter()
        .map(|call| embedded::moved(call, span.start))
        .collect()
}

/// The call at its place in the file.
fn placed(text: &str, cells: &Cells, call: Call) -> Option<Call> {
    let span = cells.place(call.span.start)?..cells.place(call.span.end)?;
    let verdict = match call.verdict {
        Verdict::Rewritten(edits) => Verdict::Rewritten(tidy(
            text,
            edits.iter().flat_map(|edit| cells.edits(edit)).collect(),
        )),
        other => other,
    };
    Some(Call {
        span,
        verdict,
        ..call
    })
}

/// A line that went whole leaves no empty string behind.
fn tidy(text: &str, edits: Vec<Edit>) -> Vec<Edit> {
    edits
        .into_iter()
        .map(|edit| match emptied(text, &edit) {
            Some(span) => Edit {
                span,
                text: String::new(),
            },
            None => edit,
        })
        .collect()
}

/// The string that `edit` empties, with the comma and blanks behind it.
fn emptied(text: &str, edit: &Edit) -> Option<Range<usize>> {
    let quoted = edit.span.start.checked_sub(1)?..edit.span.end + 1;
    let all = text.get(quoted.clone())?;
    let whole = edit.text.is_empty() && all.len() > 2 && all.starts_with('"') && all.ends_with('"');
    let behind = text.get(quoted.end..)?;
    let comma = behind.trim_start().strip_prefix(',')?;
    let next = comma.trim_start();
    (whole && next.starts_with('"')).then(|| quoted.start..quoted.end + (behind.len() - next.len()))
}
