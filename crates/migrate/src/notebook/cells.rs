//! The code cells of a notebook as one text, every byte with its place in the JSON file.

use std::ops::Range;

use crate::edit::Edit;
use crate::json::read::{Kind, Value, escaped, unescaped};

/// A piece of the joined text that came from one JSON string.
#[derive(Debug)]
struct Piece {
    /// Its bytes in the joined text.
    joined: Range<usize>,
    /// For each byte of it, and one behind, the byte of the file. Inside a letter they repeat.
    places: Vec<usize>,
}

/// Cells of one notebook, joined.
#[derive(Debug, Default)]
pub struct Cells {
    /// Their text.
    pub text: String,
    /// Where each cell stands in it.
    pub spans: Vec<Range<usize>>,
    pieces: Vec<Piece>,
}

/// Reads the code cells of the notebook `root`, whose file is `file`.
pub fn read(file: &str, root: &Value) -> Cells {
    let mut cells = Cells::default();
    for cell in root.get("cells").map(Value::items).unwrap_or_default() {
        if cell.get("cell_type").and_then(Value::text) != Some("code") {
            continue;
        }
        let Some(source) = cell.get("source") else {
            continue;
        };
        let start = cells.text.len();
        match &source.kind {
            Kind::String(_) => cells.add(file, source),
            Kind::Array(lines) => lines.iter().for_each(|line| cells.add(file, line)),
            _ => {}
        }
        let end = cells.text.len();
        cells.spans.push(start..end);
        // Cells end with a line, whether they say so or not.
        cells.text.push('\n');
    }
    cells
}

impl Cells {
    fn add(&mut self, file: &str, value: &Value) {
        let inside = value.span.start + 1..value.span.end.saturating_sub(1);
        let Some(raw) = file.get(inside.clone()).filter(|_| value.text().is_some()) else {
            return;
        };
        let start = self.text.len();
        let mut places = Vec::new();
        for (letter, at) in unescaped(raw) {
            self.text.push(letter);
            places.extend(std::iter::repeat_n(inside.start + at, letter.len_utf8()));
        }
        places.push(inside.end);
        self.pieces.push(Piece {
            joined: start..self.text.len(),
            places,
        });
    }

    /// The place in the file of a byte of the joined text.
    pub fn place(&self, at: usize) -> Option<usize> {
        let piece = self
            .pieces
            .iter()
            .find(|piece| piece.joined.contains(&at))
            .or_else(|| self.pieces.iter().find(|piece| piece.joined.end == at))?;
        piece.places.get(at - piece.joined.start).copied()
    }

    /// The edit of the joined text as edits of the file: one for each string that it touches.
    pub fn edits(&self, edit: &Edit) -> Vec<Edit> {
        let touched = |piece: &&Piece| {
            let from = piece.joined.start.max(edit.span.start);
            from < piece.joined.end.min(edit.span.end)
        };
        let mut rest = escaped(&edit.text);
        let mut edits: Vec<Edit> = Vec::new();
        for piece in self.pieces.iter().filter(touched) {
            let from = piece.joined.start.max(edit.span.start) - piece.joined.start;
            let to = piece.joined.end.min(edit.span.end) - piece.joined.start;
            if let (Some(start), Some(end)) = (piece.places.get(from), piece.places.get(to)) {
                edits.push(Edit {
                    span: *start..*end,
                    text: std::mem::take(&mut rest),
                });
            }
        }
        if edits.is_empty()
            && let Some(at) = self.place(edit.span.start)
        {
            edits.push(Edit {
                span: at..at,
                text: rest,
            });
        }
        edits
    }
}
