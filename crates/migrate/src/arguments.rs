//! Edits of an argument list: one put in, some taken out. Comments and the other arguments stay byte by byte.

use std::ops::Range;

use crate::edit::Edit;
use crate::syntax::{indent_before, line_start};

/// Puts `new` behind the first of `spans`: on lines of their own if the arguments stand so.
pub fn insert_second(text: &str, spans: &[Range<usize>], new: &[String]) -> Option<Edit> {
    let first = spans.first()?;
    if let Some(next) = spans.get(1)
        && line_start(text, next.start) > first.end
        && let Some(indent) = indent_before(text, next.start)
        && plain(text, first.end, next.start)
    {
        let newline = if text.get(..next.start)?.ends_with(&format!("\r\n{indent}")) {
            "\r\n"
        } else {
            "\n"
        };
        return Some(Edit {
            span: next.start..next.start,
            text: new
                .iter()
                .map(|argument| format!("{argument},{newline}{indent}"))
                .collect(),
        });
    }
    Some(Edit {
        span: first.end..first.end,
        text: new.iter().map(|argument| format!(", {argument}")).collect(),
    })
}

/// Takes out those of `spans` whose place is named in `out`, with the comma that belongs to each.
pub fn remove(text: &str, spans: &[Range<usize>], out: &[usize]) -> Vec<Edit> {
    runs(out)
        .into_iter()
        .flat_map(|run| remove_run(text, spans, run))
        .map(|span| Edit {
            span,
            text: String::new(),
        })
        .collect()
}

/// Neighbours of `places` together: 1, 2, 5 gives 1..3 and 5..6.
fn runs(places: &[usize]) -> Vec<Range<usize>> {
    let mut sorted = places.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<Range<usize>> = Vec::new();
    for place in sorted {
        match runs.last_mut() {
            Some(run) if run.end == place => run.end = place + 1,
            _ => runs.push(place..place + 1),
        }
    }
    runs
}

fn just(span: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(span).collect()
}

/// Stand only commas and blanks there, no comment?
fn plain(text: &str, from: usize, to: usize) -> bool {
    text.get(from..to).is_some_and(|between| {
        between
            .chars()
            .all(|c| c == ',' || c == '\\' || c.is_whitespace())
    })
}

fn remove_run(text: &str, spans: &[Range<usize>], run: Range<usize>) -> Vec<Range<usize>> {
    let (Some(first), Some(last)) = (spans.get(run.start), spans.get(run.end - 1)) else {
        return Vec::new();
    };
    let plain = |from: usize, to: usize| plain(text, from, to);
    let tidy = (run.start + 1..run.end).all(|place| plain(spans[place - 1].end, spans[place].start));
    if tidy && let Some(lines) = whole_lines(text, first.start, last.end) {
        return vec![lines];
    }
    if tidy
        && let Some(next) = spans.get(run.end)
        && plain(last.end, next.start)
    {
        return just(first.start..next.start);
    }
    if tidy
        && run.start > 0
        && let Some(before) = spans.get(run.start - 1)
        && plain(before.end, first.start)
        && spans.get(run.end).is_none()
    {
        return just(before.end..last.end);
    }
    if tidy && run.len() == spans.len() {
        return just(first.start..comma_end(text, last.end));
    }
    // Comments stand between: each argument goes alone, with its comma.
    spans
        .get(run)
        .unwrap_or_default()
        .iter()
        .map(|span| span.start..comma_end(text, span.end))
        .collect()
}

/// The lines of `start..end`, if nothing else stands on them.
fn whole_lines(text: &str, start: usize, end: usize) -> Option<Range<usize>> {
    indent_before(text, start)?;
    let after = comma_end(text, end);
    let rest = text.get(after..)?;
    let newline = rest.find('\n')?;
    rest.get(..newline)?
        .chars()
        .all(char::is_whitespace)
        .then_some(line_start(text, start)..after + newline + 1)
}

/// Behind the comma that follows `at`, or `at` itself.
fn comma_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let trimmed = rest.trim_start();
    if trimmed.starts_with(',') {
        at + (rest.len() - trimmed.len()) + 1
    } else {
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;

    /// Places of the letters of `text`, each an argument.
    fn letters(text: &str) -> Vec<Range<usize>> {
        text.match_indices(|c: char| c.is_ascii_lowercase())
            .filter(|(at, _)| {
                text[..*at]
                    .rfind('#')
                    .is_none_or(|hash| text[hash..*at].contains('\n'))
            })
            .map(|(at, letter)| at..at + letter.len())
            .collect()
    }

    fn without(text: &str, out: &[usize]) -> String {
        apply(text, &remove(text, &letters(text), out)).unwrap()
    }

    #[test]
    fn arguments_go_with_their_comma() {
        assert_eq!(without("(a, b, c)", &[0]), "(b, c)");
        assert_eq!(without("(a, b, c)", &[1]), "(a, c)");
        assert_eq!(without("(a, b, c)", &[1, 2]), "(a)");
        assert_eq!(without("(a, b, c)", &[0, 2]), "(b)");
        assert_eq!(without("(a, b)", &[0, 1]), "()");
        assert_eq!(without("(a,)", &[0]), "()");
    }

    #[test]
    fn lines_of_their_own_go_whole() {
        assert_eq!(without("(\n  a,\n  b,\n  c)", &[1]), "(\n  a,\n  c)");
        assert_eq!(without("(\n  a,\n  b,\n)", &[1]), "(\n  a,\n)");
        assert_eq!(without("(\n  a,\n  b)", &[1]), "(\n  a)");
    }

    #[test]
    fn comments_stay() {
        assert_eq!(without("(a, # A\n b, # B\n c)", &[1]), "(a, # A\n  # B\n c)");
        assert_eq!(without("(a, # A\n b)", &[1]), "(a, # A\n )");
    }

    #[test]
    fn new_ones_stand_second() {
        let put = |text: &str| {
            let edit = insert_second(text, &letters(text), &["X".to_owned(), "Y".to_owned()]).unwrap();
            apply(text, &[edit]).unwrap()
        };
        assert_eq!(put("(a, b)"), "(a, X, Y, b)");
        assert_eq!(put("(\n  a,\n  b)"), "(\n  a,\n  X,\n  Y,\n  b)");
        assert_eq!(put("(a, # A\n  b)"), "(a, X, Y, # A\n  b)");
        assert_eq!(put("(\r\n  a,\r\n  b)"), "(\r\n  a,\r\n  X,\r\n  Y,\r\n  b)");
    }
}
