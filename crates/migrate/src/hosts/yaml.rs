//! YAML: every scalar may be a script, as `run:`, `script:` or `- bash:` of a pipeline are.

use super::piece::Piece;
use crate::call::Call;
use crate::known::Known;

/// The calls in a YAML file.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    super::piece::calls(
        &[Piece::straight(text, 0, crate::az::words::Syntax::Posix)],
        known,
    )
}
