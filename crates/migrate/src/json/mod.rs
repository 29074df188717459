//! Job, cluster and file server files, and ARM templates.

mod body;
mod ids;
mod kind;
mod members;
pub mod read;
mod template;

use crate::call::{Call, Verdict};
use crate::compose;
use crate::known::Known;
use read::Value;

/// Calls of a JSON text: the file itself if it is one of Batch AI, each resource of a template, and flat ids.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    let Ok(root) = read::read(text) else {
        return unreadable(text);
    };
    let mut calls = if template::is_template(&root) {
        template::calls(text, &root, known)
    } else if let Some(kind) = kind::kind(&root) {
        file(text, &root, kind, known)
    } else {
        return Vec::new();
    };
    calls.sort_by_key(|call| (call.span.start, call.span.end));
    compose::settle(&mut calls);
    calls
}

fn file(text: &str, root: &Value, kind: kind::Kind, known: &Known) -> Vec<Call> {
    let mut changes = body::changes(text, root, kind, kind.name());
    let location = root
        .get("location")
        .or_else(|| root.get("properties")?.get("location"))
        .and_then(Value::text)
        .map(body::region);
    changes
        .edits
        .extend(ids::edits(text, root, &known.workspace(location.as_deref())));
    let mut calls = vec![Call {
        span: root.span.clone(),
        what: kind.name().to_owned(),
        verdict: if changes.edits.is_empty() {
            Verdict::Current
        } else {
            Verdict::Rewritten(changes.edits)
        },
        remarks: changes.remarks,
    }];
    calls.extend(changes.asked);
    calls
}

/// A text that speaks of Batch AI's files but can't be read is named, not passed over.
fn unreadable(text: &str) -> Vec<Call> {
    let telling = [
        "stdOutErrPathPrefix",
        "Microsoft.BatchAI",
        "BatchAI/master/schemas",
    ];
    if !telling.iter().any(|word| text.contains(word)) {
        return Vec::new();
    }
    let at = read::read(text).err().unwrap_or_default();
    vec![Call {
        span: 0..text.len(),
        what: "JSON file".to_owned(),
        verdict: Verdict::Undecided(format!(
            "Line {} is no JSON, so nothing was changed. What belongs there?",
            crate::syntax::line_of(text, at)
        )),
        remarks: Vec::new(),
    }]
}
