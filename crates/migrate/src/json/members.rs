//! Edits of members: taken out with the right comma, renamed, added.

use std::ops::Range;

use super::read::{Member, Value};
use crate::edit::Edit;
use crate::syntax::{indent_before, line_start};

/// Takes the members whose places are in `out` from `object`.
pub fn remove(text: &str, object: &Value, out: &[usize]) -> Vec<Edit> {
    let members = object.members();
    if out.is_empty() {
        return Vec::new();
    }
    let kept: Vec<usize> = (0..members.len()).filter(|place| !out.contains(place)).collect();
    let Some(last_kept) = kept.last().copied() else {
        return vec![gone(object.span.start + 1..object.span.end - 1)];
    };
    let mut edits: Vec<Edit> = out
        .iter()
        .filter(|place| **place < last_kept)
        .filter_map(|place| members.get(*place))
        .map(|member| gone(with_comma(text, member)))
        .collect();
    // Those behind the last one that stays: its comma goes instead of theirs.
    if let (Some(stays), Some(last)) = (members.get(last_kept), members.last())
        && last_kept + 1 < members.len()
    {
        edits.push(gone(stays.span().end..last.span().end));
    }
    edits
}

fn gone(span: Range<usize>) -> Edit {
    Edit {
        span,
        text: String::new(),
    }
}

/// The member, its comma, and the blanks around: whole lines where it stands alone on them.
fn with_comma(text: &str, member: &Member) -> Range<usize> {
    let span = member.span();
    let rest = text.get(span.end..).unwrap_or_default();
    let comma = rest.find(',').map_or(span.end, |comma| span.end + comma + 1);
    let after = text.get(comma..).unwrap_or_default();
    let blanks = after.len() - after.trim_start_matches([' ', '\t', '\r']).len();
    let alone = indent_before(text, span.start).is_some();
    if alone && after.get(blanks..).is_some_and(|rest| rest.starts_with('\n')) {
        return line_start(text, span.start)..comma + blanks + 1;
    }
    if after.get(blanks..).is_some_and(|rest| rest.starts_with('\n')) {
        // The last one of its line: the line keeps its end.
        let before = text.get(..span.start).unwrap_or_default();
        return before.trim_end_matches([' ', '\t']).len()..comma;
    }
    let all = after.len() - after.trim_start().len();
    span.start..comma + all
}

/// Gives the member another name.
pub fn rename(member: &Member, name: &str) -> Edit {
    Edit {
        span: member.name_span.clone(),
        text: format!("\"{name}\""),
    }
}

/// Puts other text in the place of a value.
pub fn replace(value: &Value, text: &str) -> Edit {
    Edit {
        span: value.span.clone(),
        text: text.to_owned(),
    }
}

/// Adds a member behind the last one, laid out as that one is.
pub fn add(text: &str, object: &Value, member: &str) -> Option<Edit> {
    let last = object.members().last()?;
    let end = last.span().end;
    let start = last.span().start;
    let between = match indent_before(text, start) {
        Some(indent) => format!(",\n{indent}"),
        None => ", ".to_owned(),
    };
    Some(Edit {
        span: end..end,
        text: format!("{between}{member}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::*;
    use crate::edit::apply;

    fn without(text: &str, out: &[usize]) -> String {
        let after = apply(text, &remove(text, &read(text).unwrap(), out)).unwrap();
        assert!(read(&after).is_ok(), "{after}");
        after
    }

    #[test]
    fn commas_stay_right() {
        let text = "{\"a\": 1, \"b\": 2, \"c\": 3}";
        assert_eq!(without(text, &[0]), "{\"b\": 2, \"c\": 3}");
        assert_eq!(without(text, &[2]), "{\"a\": 1, \"b\": 2}");
        assert_eq!(without(text, &[0, 2]), "{\"b\": 2}");
        assert_eq!(without(text, &[1, 2]), "{\"a\": 1}");
        assert_eq!(without(text, &[0, 1, 2]), "{}");
    }

    #[test]
    fn lines_keep_their_end() {
        let text = "{ \"a\": 1, \"b\": 2,\n  \"c\": 3 }";
        assert_eq!(without(text, &[1]), "{ \"a\": 1,\n  \"c\": 3 }");
    }

    #[test]
    fn lines_go_whole() {
        let text = "{\n  \"a\": 1,\n  \"b\": {\n    \"x\": 2\n  },\n  \"c\": 3\n}\n";
        assert_eq!(without(text, &[1]), "{\n  \"a\": 1,\n  \"c\": 3\n}\n");
        assert_eq!(
            without(text, &[2]),
            "{\n  \"a\": 1,\n  \"b\": {\n    \"x\": 2\n  }\n}\n"
        );
        assert_eq!(without(text, &[1, 2]), "{\n  \"a\": 1\n}\n");
    }
}
