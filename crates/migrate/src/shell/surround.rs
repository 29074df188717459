//! What is open around a place in its line, for texts without a grammar.

use super::split::boundary;
use crate::az::words::{Place, Syntax, Word};
use crate::mark::MARK;

/// The quote that is open at byte `start`, and whether what stands there is run.
pub fn of(text: &str, start: usize, syntax: Syntax) -> (Option<u8>, Place) {
    let line = line_start(text, start);
    let before = text.get(line..start).unwrap_or_default();
    let mut open: Vec<u8> = Vec::new();
    let mut comment = false;
    let bytes = before.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let inner = open.last().copied();
        let next = bytes.get(at + 1).copied();
        match byte {
            b'\\' if !matches!(syntax, Syntax::PowerShell | Syntax::Cmd) => at += 1,
            b'$' if next == Some(b'(') && inner != Some(b'\'') => {
                open.push(b'(');
                at += 1;
            }
            b')' if inner == Some(b'(') => drop(open.pop()),
            b'"' | b'\'' | b'`' if inner == Some(byte) => drop(open.pop()),
            b'"' | b'\'' | b'`'
                if opens(
                    byte,
                    syntax,
                    inner,
                    at.checked_sub(1).and_then(|at| bytes.get(at)),
                ) =>
            {
                open.push(byte);
            }
            b'#' if inner.is_none() && syntax != Syntax::Cmd && starts_comment(bytes, at) => comment = true,
            _ => {}
        }
        at += 1;
    }
    let remark = before.trim_start().to_lowercase();
    comment |= syntax == Syntax::Cmd && (remark.starts_with("rem ") || remark.starts_with("::"));
    match open.last().copied() {
        Some(b'(') => (None, Place::Code),
        Some(quote) if closes(text, start, quote) => {
            if quote == b'`' && syntax != Syntax::Loose {
                return (Some(quote), Place::Code);
            }
            quoted(text, start, quote)
        }
        _ if comment => (None, Place::Text),
        _ => (None, Place::Code),
    }
}

fn opens(byte: u8, syntax: Syntax, inner: Option<u8>, previous: Option<&u8>) -> bool {
    match (byte, inner) {
        // An apostrophe, or a quote of the other kind inside of one.
        (b'\'', None) => !previous.is_some_and(u8::is_ascii_alphanumeric),
        (b'`', _) => !matches!(syntax, Syntax::PowerShell | Syntax::Cmd) && inner != Some(b'\''),
        (b'"', None) | (b'"' | b'\'', Some(b'(' | b'`')) => true,
        _ => false,
    }
}

fn starts_comment(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|at| bytes.get(at))
        .is_none_or(u8::is_ascii_whitespace)
}

fn closes(text: &str, start: usize, quote: u8) -> bool {
    text.get(start..)
        .is_some_and(|rest| rest.bytes().take(8 * FAR).any(|byte| byte == quote))
}

/// A place inside of this quote: what is handed to a shell, or put aside as a command, is run; the rest is text.
pub fn quoted(text: &str, start: usize, quote: u8) -> (Option<u8>, Place) {
    let before = text.get(..start).unwrap_or_default();
    let open = before.rfind(char::from(quote)).unwrap_or(start);
    let lead = text.get(line_start(text, open)..open).unwrap_or_default();
    let run = lead.ends_with("-c ")
        || lead.ends_with("eval ")
        || lead.ends_with('=')
        || lead.trim_end().ends_with('&');
    let whole = before
        .get(open + 1..)
        .is_some_and(|between| between.trim().is_empty());
    (Some(quote), if run && whole { Place::Code } else { Place::Text })
}

/// Whether the quoted text around a call is added to another one, so that the call may go on there.
pub fn goes_on(text: &str, last: Option<&Word<'_>>, quote: u8) -> bool {
    let rest = last.and_then(|word| text.get(word.end()..)).unwrap_or_default();
    let rest = rest.trim_start().strip_prefix(char::from(quote));
    // A shell joins what follows at once; languages have a sign for it.
    quote != b'`'
        && rest.is_some_and(|rest| {
            rest.starts_with(['"', '\'', '$']) || rest.trim_start().starts_with(['+', '%'])
        })
}

/// Whether the place is in a comment that we put there: those speak of calls.
pub fn is_ours(text: &str, start: usize) -> bool {
    text.get(line_start(text, start)..start)
        .is_some_and(|before| before.contains(MARK))
}

/// Bytes of one line that are looked at before a call: generated files have lines without end.
const FAR: usize = 8 * 1024;

fn line_start(text: &str, at: usize) -> usize {
    let far = boundary(text, at.saturating_sub(FAR));
    text.get(far..at)
        .and_then(|before| before.rfind('\n'))
        .map_or(far, |line| far + line + 1)
}

/// Whether the call begins its line, and the line before does not lead into it.
pub fn own_line(text: &str, start: usize) -> bool {
    let line = line_start(text, start);
    let prefix = text.get(line..start).unwrap_or_default();
    let alone = prefix
        .chars()
        .all(|c| c.is_whitespace() || matches!(c, '@' | '$' | '!'));
    let above = text
        .get(..line)
        .unwrap_or_default()
        .trim_end_matches([' ', '\t', '\r', '\n']);
    alone && !above.ends_with(['\\', '`', '^', '&', '|', '(', ',', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, syntax: Syntax) -> (Option<char>, Place) {
        let (quote, place) = of(text, text.find("az ").unwrap(), syntax);
        (quote.map(char::from), place)
    }

    #[test]
    fn quotes_brackets_and_comments_are_seen() {
        assert_eq!(at("az x", Syntax::Posix), (None, Place::Code));
        assert_eq!(at("echo \"run az x\"", Syntax::Posix), (Some('"'), Place::Text));
        assert_eq!(at("A=\"$(az x)\"", Syntax::Posix), (None, Place::Code));
        assert_eq!(at("A=`az x`", Syntax::Posix), (Some('`'), Place::Code));
        assert_eq!(at("use `az x` now", Syntax::Loose), (Some('`'), Place::Text));
        assert_eq!(at("# don't: az x", Syntax::Posix), (None, Place::Text));
        assert_eq!(at("don't run az x", Syntax::Loose), (None, Place::Code));
        assert_eq!(at("bash -c 'az x'", Syntax::Posix), (Some('\''), Place::Code));
        assert_eq!(at("REM az x", Syntax::Cmd), (None, Place::Text));
    }

    #[test]
    fn a_text_that_is_added_to_is_seen() {
        let goes = |text: &str| {
            let words = crate::shell::split::words(text, 1, Syntax::Loose, Some(b'"'), Place::Text);
            goes_on(text, words.last(), b'"')
        };
        assert!(goes("\"az x -n \" + name") && goes("\"az x -n \"$name"));
        assert!(!goes("\"az x -n y\"") && !goes("\"az x -n y\"; ls"));
    }

    #[test]
    fn a_line_may_come_before_a_call_that_begins_its_own() {
        let own = |text: &str| own_line(text, text.find("az ").unwrap());
        assert!(own("x\n  az y") && own("\t@az y"));
        assert!(!own("x && \\\n az y") && !own("A=$(az y)") && !own("if az y"));
    }
}
