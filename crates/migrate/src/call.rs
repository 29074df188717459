//! What a scanner found.

use std::ops::Range;

use crate::edit::Edit;

/// One call of Batch AI, or one job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where it stands: bytes of the text that was scanned.
    pub span: Range<usize>,
    /// What was found, in one line, as a person would name it: `az batchai job create`, `clusters.get`.
    pub what: String,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What the person should know although the call was decided: a meaning that changed, a tag that was
    /// dropped, a name to fill in. Short sentences.
    pub remarks: Vec<String>,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is a call of 2018-05-01 already (or means the same there); nothing to do.
    Current,
    /// These edits make it one. They do not overlap and lie inside the scanned text.
    Rewritten(Vec<Edit>),
    /// It can't be decided from what is known; the text is the question to the person.
    Undecided(String),
    /// It is a call in a language that is only reported; the text says what to change.
    Reported(String),
}
