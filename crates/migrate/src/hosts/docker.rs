//! Dockerfiles: the commands of `RUN`, `CMD` and `ENTRYPOINT` are a shell's, unless they are lists.

use super::lists;
use super::piece::{Piece, calls as of};
use crate::az::words::Syntax;
use crate::call::Call;
use crate::known::Known;

/// The calls in a Dockerfile.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    // The words before the command (`RUN`) are no trouble to the tolerant reading.
    let mut calls = of(&[Piece::straight(text, 0, Syntax::Make)], known);
    lists::add(text, &mut calls);
    calls
}
