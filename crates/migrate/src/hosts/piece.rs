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
    /// How a text is written into it.
    pub write: Write,
}

/// How a text is written into a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// As it is; lines may come.
    Plain,
    /// Each line with this before it; lines may come.
    Indented(String),
    /// On one line.
    OneLine,
    /// In YAML's single quotes, on one line.
    SingleQuoted,
    /// In YAML's double quotes, on one line.
    DoubleQuoted,
}

impl Write {
    fn text(&self, text: &str) -> String {
        match self {
            Self::Plain | Self::OneLine => text.to_owned(),
            Self::Indented(indent) => text.replace('\n', &format!("\n{indent}")),
            Self::SingleQuoted => text.replace('\'', "''"),
            Self::DoubleQuoted => text
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n"),
        }
    }

    fn takes_lines(&self) -> bool {
        matches!(self, Self::Plain | Self::Indented(_))
    }
}

impl Piece {
    /// Bytes of the file from `start` on, which stand there as they are.
    pub fn straight(text: &str, start: usize, syntax: Syntax) -> Self {
        Self {
            text: text.to_owned(),
            places: (start..=start + text.len()).collect(),
            syntax,
            write: Write::Plain,
        }
    }

    fn sites(&self) -> Vec<Site<'_>> {
        let mut sites = shell::sites(&self.text, self.syntax);
        for site in &mut sites {
            site.own_line &= self.write.takes_lines();
        }
        sites
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
                    text: self.write.text(&edit.text),
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
