//! Changes of a text that leave every other byte as it was.

use std::ops::Range;

/// The bytes of `span` become `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the text before any edit. An empty span inserts.
    pub span: Range<usize>,
    /// What stands there afterwards.
    pub text: String,
}

/// `text` with all `edits` done, in whatever order they come; those at the same place keep their order.
///
/// # Errors
///
/// [`BadEdit`] where two edits overlap or one leaves the text or cuts a character in two.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, BadEdit> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in sorted {
        let bad = || BadEdit {
            span: edit.span.clone(),
        };
        if edit.span.start < done {
            return Err(bad());
        }
        out.push_str(text.get(done..edit.span.start).ok_or_else(bad)?);
        text.get(edit.span.clone()).ok_or_else(bad)?;
        out.push_str(&edit.text);
        done = edit.span.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Ok(out)
}

/// An edit that can't be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEdit {
    /// Where it was to be.
    pub span: Range<usize>,
}

impl std::fmt::Display for BadEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the change of bytes {} to {} overlaps another one or lies outside the text; this is a mistake of \
             trainyard, please report it with the file",
            self.span.start, self.span.end
        )
    }
}

impl std::error::Error for BadEdit {}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(span: Range<usize>, text: &str) -> Edit {
        Edit {
            span,
            text: text.to_owned(),
        }
    }

    #[test]
    fn edits_change_their_own_bytes_only() {
        let edits = [edit(6..11, "there"), edit(0..0, "> "), edit(11..11, "!")];
        assert_eq!(apply("hello world", &edits).unwrap(), "> hello there!");
    }

    #[test]
    fn edits_that_overlap_or_leave_the_text_are_refused() {
        assert!(apply("abc", &[edit(0..2, "x"), edit(1..3, "y")]).is_err());
        assert!(apply("abc", &[edit(2..9, "x")]).is_err());
        assert!(apply("é", &[edit(1..1, "x")]).is_err());
    }
}
