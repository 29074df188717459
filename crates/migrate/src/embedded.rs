//! Command lines inside strings of other languages, handed to the scanner of command lines.

use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::known::Known;

/// Calls of the shell text `text`.
pub fn shell(text: &str, known: &Known) -> Vec<Call> {
    crate::shell::calls(text, known)
}

/// Calls in a string literal of Python that a shell runs; `literal` begins at byte `at`.
pub fn string(literal: &str, at: usize, known: &Known) -> Vec<Call> {
    let start = literal.find(['"', '\'']).unwrap_or_default();
    let quotes = literal.get(start..).unwrap_or_default();
    let width = if quotes.starts_with("\"\"\"") || quotes.starts_with("'''") {
        3
    } else {
        1
    };
    let inside = start + width..literal.len().saturating_sub(width);
    let text = literal.get(inside.clone()).unwrap_or_default();
    let found: Vec<Call> = shell(text, known)
        .into_iter()
        .map(|call| moved(call, at + inside.start))
        .collect();
    let quote = quotes.chars().next().unwrap_or('\'');
    let plain = |edit: &Edit| !edit.text.contains([quote, '\\', '\n']) || width == 3;
    found
        .into_iter()
        .map(|call| match &call.verdict {
            Verdict::Rewritten(edits) if text.contains('\\') || !edits.iter().all(plain) => Call {
                verdict: Verdict::Undecided(
                    "The new command does not fit into this string as it is. How is it to be quoted?"
                        .to_owned(),
                ),
                ..call
            },
            _ => call,
        })
        .collect()
}

/// `['az', 'batchai', …]`: a command as a list of words, which begins at byte `at`.
pub fn argument_list(list: &str, at: usize) -> Vec<Call> {
    let words: Vec<&str> = list
        .trim_matches(['[', ']'])
        .split(',')
        .map(|word| word.trim().trim_matches(['"', '\'']))
        .take_while(|word| !word.starts_with('-'))
        .collect();
    let what = words.join(" ");
    let current = list.contains("'-w'") || list.contains("\"-w\"") || list.contains("--workspace");
    vec![Call {
        span: at..at + list.len(),
        verdict: if current {
            Verdict::Current
        } else {
            Verdict::Undecided(format!(
                "`{what}` stands here as a list of words. Add '-w' and the workspace, for jobs also '-e' and the \
                 experiment; write the words as one command to have the rest translated."
            ))
        },
        what,
        remarks: Vec::new(),
    }]
}

/// The call of a piece that begins at byte `by` of a larger text.
pub fn moved(call: Call, by: usize) -> Call {
    let span = |span: std::ops::Range<usize>| span.start + by..span.end + by;
    let verdict = match call.verdict {
        Verdict::Rewritten(edits) => Verdict::Rewritten(
            edits
                .into_iter()
                .map(|edit| Edit {
                    span: span(edit.span),
                    text: edit.text,
                })
                .collect(),
        ),
        other => other,
    };
    Call {
        span: span(call.span),
        verdict,
        ..call
    }
}
