//! Command lines inside strings of other languages, handed to the scanner of command lines.

use crate::call::Call;
use crate::known::Known;

/// Calls of the shell text `text`.
#[expect(
    dead_code,
    reason = "notebooks and programs ask it once their cells are cut out"
)]
pub fn shell(_text: &str, _known: &Known) -> Vec<Call> {
    Vec::new()
}

/// Calls in a string literal of Python that a shell runs; `literal` begins at byte `at`.
pub fn string(_literal: &str, _at: usize, _known: &Known) -> Vec<Call> {
    Vec::new()
}

/// `['az', 'batchai', …]`: a command as a list of words.
pub fn argument_list(_list: &str, _at: usize) -> Vec<Call> {
    Vec::new()
}
