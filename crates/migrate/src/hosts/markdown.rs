//! Documents: fenced blocks by their language, everything else as a text that may hold a call.

use super::piece::{Piece, calls as of};
use crate::az::words::Syntax;
use crate::call::Call;
use crate::known::Known;

/// The calls in a document.
pub fn calls(text: &str, known: &Known) -> Vec<Call> {
    of(&pieces(text), known)
}

/// The document cut at its fences.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut fence: Option<&str> = None;
    let mut syntax = Syntax::Loose;
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches([' ', '\t', '>']);
        let mark = fence_of(bare);
        let turns = match (fence, mark) {
            (None, Some(_)) => true,
            (Some(open), Some(mark)) => mark.starts_with(open) && bare.trim().len() == mark.len(),
            _ => false,
        };
        if turns {
            pieces.push(Piece::straight(
                text.get(start..at).unwrap_or_default(),
                start,
                syntax,
            ));
            start = at + line.len();
            let inside = fence.is_none();
            syntax = if inside { language(bare) } else { Syntax::Loose };
            fence = mark.filter(|_| inside);
        }
        at += line.len();
    }
    pieces.push(Piece::straight(
        text.get(start..).unwrap_or_default(),
        start,
        syntax,
    ));
    pieces
}

/// The run of back-ticks or tildes that begins a fence.
fn fence_of(line: &str) -> Option<&str> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.len() - line.trim_start_matches(mark).len();
    let rest = line.get(length..)?;
    (length >= 3 && !rest.contains('`'))
        .then(|| line.get(..length))
        .flatten()
}

fn language(fence: &str) -> Syntax {
    let info = fence.trim_start_matches(['`', '~', ' ', '{', '.']).to_lowercase();
    let word = info
        .split(|c: char| !c.is_alphanumeric() && c != '-')
        .next()
        .unwrap_or_default();
    match word {
        "powershell" | "ps1" | "pwsh" | "posh" | "azurepowershell" => Syntax::PowerShell,
        "bat" | "batch" | "cmd" | "dos" => Syntax::Cmd,
        "make" | "makefile" => Syntax::Make,
        "bash" | "sh" | "shell" | "zsh" | "console" | "azurecli" | "azurecli-interactive" => Syntax::Posix,
        _ => Syntax::Loose,
    }
}
