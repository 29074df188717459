//! A piece of a file that is read as a script.

use crate::az::decide;
use crate::az::words::{Site, Syntax};
use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::known::Known;
use crate::shell;

/// A piece: its text, and where each of its bytes stands in the file.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The text as a shell would get it.
    pub text: String,
    /// Place in the file of each byte of the text, and of its end.
    pub places: Vec<usize>,
    /// How it is read.
    pub syntax: Syntax,
    /// Whether an end of a line is only a blank.
    pub folded: bool,
    /// How a text is written back: as it is, or with escapes.
    pub write: fn(&str) -> String,
}

impl Piece {
    /// Bytes of the file from `start` on, which stand there as they are.
    pub fn straight(text: &str, start: usize, syntax: Syntax) -> Self {
        Self {
            text: text.to_owned(),
            places: (start..=start + text.len()).collect(),
            syntax,
            folded: false,
            write: str::to_owned,
        }
    }

    fn sites(&self) -> Vec<Site<'_>> {
        if self.folded {
            shell::folded_sites(&self.text)
        } else {
            shell::sites(&self.text, self.syntax)
        }
    }

    fn place(&self, at: usize) -> usize {
        self.places
            .get(at)
            .or(self.places.last())
            .copied()
            .unwrap_or_default()
    }

    fn home(&self, mut call: Call) -> Call {
        call.span = self.place(call.span.start)..self.place(call.span.end);
        if let Verdict::Rewritten(edits) = &mut call.verdict {
            for edit in edits {
                *edit = Edit {
                    span: self.place(edit.span.start)..self.place(edit.span.end),
                    text: (self.write)(&edit.text),
                };
            }
        }
        call
    }
}

/// The calls of all pieces of a file, which tell about each other.
pub fn calls(pieces: &[Piece], known: &Known) -> Vec<Call> {
    let mut sites = Vec::new();
    let mut owners = Vec::new();
    for piece in pieces {
        for site in piece.sites() {
            sites.push(site);
            owners.push(piece);
        }
    }
    let mut calls: Vec<_> = decide(&sites, known)
        .into_iter()
        .filter_map(|(index, call)| Some(owners.get(index)?.home(call)))
        .collect();
    calls.sort_by_key(|call| call.span.start);
    calls
}
