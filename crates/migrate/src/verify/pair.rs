//! The two forms of a call, cut out of its file.

use crate::call::{Call, Verdict};
use crate::edit::{BadEdit, Edit, apply};

/// Old text and new of one call; the same where it is current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forms {
    /// As it stands.
    pub old: String,
    /// As it becomes.
    pub new: String,
}

/// The forms of `call` in `text`; `notebook` where that is JSON with the lines of cells in strings. None where
/// nothing becomes of the call.
///
/// # Errors
/// [`BadEdit`] where the call's edits can't be done.
pub fn forms(text: &str, call: &Call, notebook: bool) -> Result<Option<Forms>, BadEdit> {
    let old = text.get(call.span.clone()).unwrap_or_default();
    let new = match &call.verdict {
        Verdict::Current => old.to_owned(),
        // Lines that are put before the call are calls of their own.
        Verdict::Rewritten(edits) => apply(old, &within(call, edits))?,
        Verdict::Undecided(_) | Verdict::Reported(_) => return Ok(None),
    };
    let plain = |text: &str| {
        if notebook {
            lines_of_cell(text)
        } else {
            text.to_owned()
        }
    };
    Ok(Some(Forms {
        old: plain(old),
        new: plain(&new),
    }))
}

fn within(call: &Call, edits: &[Edit]) -> Vec<Edit> {
    edits
        .iter()
        .filter(|edit| edit.span.start >= call.span.start && edit.span.end <= call.span.end)
        .map(|edit| Edit {
            span: edit.span.start - call.span.start..edit.span.end - call.span.start,
            text: edit.text.clone(),
        })
        .collect()
}

/// A piece of a notebook's file as the text of its cell: strings and commas between lines go, escapes too.
fn lines_of_cell(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['\\', '"']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = after.strip_prefix('"') {
            // From the end of one line's string to the beginning of the next.
            let next = after.trim_start_matches([',', ' ', '\t', '\r', '\n']);
            rest = next.strip_prefix('"').unwrap_or(after);
            continue;
        }
        let mut escape = after.chars().skip(1);
        let (plain, length) = match escape.next() {
            Some('n') => ("\n".to_owned(), 2),
            Some('t') => ("\t".to_owned(), 2),
            Some('r') => (String::new(), 2),
            Some(other) => (other.to_string(), 1 + other.len_utf8()),
            None => (String::new(), 1),
        };
        out.push_str(&plain);
        rest = after.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_cell_come_out_of_their_strings() {
        let raw = "az batchai \\\\\\n\",\n    \"  job list -g \\\"my rg\\\"";
        assert_eq!(lines_of_cell(raw), "az batchai \\\n  job list -g \"my rg\"");
    }

    #[test]
    fn only_edits_of_the_call_itself_are_done() {
        let text = "x\naz old y";
        let edit = |span, text: &str| Edit {
            span,
            text: text.to_owned(),
        };
        let call = Call {
            span: 2..8,
            what: String::new(),
            verdict: Verdict::Rewritten(vec![edit(2..2, ""), edit(5..8, "new"), edit(0..0, "before\n")]),
            remarks: Vec::new(),
        };
        let forms = forms(text, &call, false).unwrap().unwrap();
        assert_eq!((forms.old.as_str(), forms.new.as_str()), ("az old", "az new"));
    }
}
