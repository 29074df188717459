//! Flat resource ids in the strings of a file.

use super::read::Value;
use crate::edit::Edit;
use crate::flat_id;

/// The workspace put into every flat id below `root`.
pub fn edits(text: &str, root: &Value, workspace: &str) -> Vec<Edit> {
    root.all()
        .into_iter()
        .filter(|value| value.text().is_some())
        .flat_map(|value| {
            let raw = text.get(value.span.clone()).unwrap_or_default();
            flat_id::find(raw).into_iter().map(move |id| {
                let at = value.span.start + id.at;
                Edit {
                    span: at..at,
                    text: id.insertion(workspace),
                }
            })
        })
        .collect()
}
