//! A tolerant way to cut a line into words, for what no grammar of a shell would take: documents with
//! placeholders, PowerShell, batch files, Makefiles, half a script.

use crate::az::words::{Place, Syntax, Word};

/// The end of a character at byte `at` of `text` or before it.
pub fn boundary(text: &str, at: usize) -> usize {
    let whole = |at: &usize| text.is_char_boundary(*at);
    (0..=at.min(text.len())).rev().find(whole).unwrap_or_default()
}

/// Words of one call, at most; no call that a person wrote has as many.
pub const MOST_WORDS: usize = 1000;
/// Bytes after a bracket or quote in which its partner is looked for.
const FAR: usize = 4 * 1024;

/// Words of a call from byte `start` on, up to where the command ends: a line's end that is not continued,
/// `|`, `;`, `&`, a comment, a bracket or quote that was opened before it. Redirections are left out.
pub fn words<'a>(
    text: &'a str,
    start: usize,
    syntax: Syntax,
    quote: Option<u8>,
    place: Place,
) -> Vec<Word<'a>> {
    let mut splitter = Splitter {
        text,
        bytes: text.as_bytes(),
        at: start,
        syntax,
        quote,
        one_line: place == Place::Text || matches!(syntax, Syntax::Cmd | Syntax::Loose),
    };
    let mut words = Vec::new();
    while words.len() < MOST_WORDS && splitter.blanks() {
        match splitter.word() {
            Some(word) => words.push(word),
            None => break,
        }
    }
    words
}

struct Splitter<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    syntax: Syntax,
    /// The quote which is open around the call: `"`, `'` or a back-tick.
    quote: Option<u8>,
    /// Whether a quote that is not closed on its line is none: an apostrophe in prose.
    one_line: bool,
}

impl<'a> Splitter<'a> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// Passes blanks, continued line ends and redirections; false at the end of the command.
    fn blanks(&mut self) -> bool {
        loop {
            match self.peek(0) {
                None => return false,
                Some(b' ' | b'\t') => self.at += 1,
                Some(_) => {
                    if let Some(end) = self.continuation() {
                        self.at = end;
                    } else if let Some(end) = self.redirection() {
                        self.at = end;
                    } else {
                        return !self.ends();
                    }
                }
            }
        }
    }

    /// The byte after a continued end of a line. A blank line after it ends the command all the same.
    fn continuation(&self) -> Option<usize> {
        let mark = self.peek(0)?;
        if !self.syntax.continues(mark) || self.quote == Some(mark) {
            return None;
        }
        let rest = self.text.get(self.at + 1..)?;
        let rest = rest.trim_start_matches([' ', '\t']);
        let rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n'))?;
        Some(self.text.len() - rest.len())
    }

    /// The byte after `2>&1`, `> file`, `< file`.
    fn redirection(&self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let sign = rest.get(digits..)?;
        if !sign.starts_with(['<', '>']) || self.placeholder(self.at).is_some() {
            return None;
        }
        let target = sign
            .trim_start_matches(['<', '>', '&'])
            .trim_start_matches([' ', '\t']);
        let length = target
            .find(|c: char| c.is_whitespace() || matches!(c, '|' | ';' | '&' | ')' | '"' | '\'' | '`'))
            .unwrap_or(target.len());
        let quoted = target
            .strip_prefix(['"', '\''])
            .and_then(|inner| inner.find(['"', '\'']))
            .filter(|_| self.quote.is_none());
        Some(self.text.len() - target.len() + quoted.map_or(length, |inner| inner + 2))
    }

    fn ends(&self) -> bool {
        let Some(byte) = self.peek(0) else { return true };
        matches!(byte, b'\n' | b'\r' | b'|' | b';' | b'&' | b')')
            || Some(byte) == self.quote
            || (byte == b'}'
                && self
                    .peek(1)
                    .is_none_or(|next| next.is_ascii_whitespace() || b";)}".contains(&next)))
            || (byte == b'#' && self.syntax != Syntax::Cmd && self.peek(1) != Some(b'{'))
    }

    /// `<name of a thing>` from `at`: the byte after it.
    fn placeholder(&self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?.strip_prefix('<')?;
        let length = rest.find(['<', '>', '\n', '|', '"', '$', ';', '&'])?;
        let inner = rest.get(..length)?;
        let named = rest.get(length..)?.starts_with('>')
            && inner.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            && !inner.ends_with(' ');
        named.then_some(at + length + 2)
    }

    fn word(&mut self) -> Option<Word<'a>> {
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            let end = match byte {
                b'<' => self.placeholder(self.at),
                b'$' if self.peek(1) == Some(b'(') => self.balanced(self.at + 1, b'(', b')'),
                b'$' if self.peek(1) == Some(b'{') => self.balanced(self.at + 1, b'{', b'}'),
                b'{' if self.peek(1) == Some(b'{') => self.template(),
                b'(' => self.balanced(self.at, b'(', b')'),
                b'"' | b'\'' if self.quote != Some(byte) => self.quoted(byte),
                b'`' if self.quote != Some(byte) && self.syntax == Syntax::Posix => self.quoted(byte),
                b'\\' => self.escaped(),
                _ => None,
            };
            if let Some(end) = end {
                self.at = end;
                continue;
            }
            let blank = matches!(byte, b' ' | b'\t');
            let stop = matches!(byte, b'\n' | b'\r' | b'|' | b';' | b'&' | b')' | b'<' | b'>');
            if blank || stop || Some(byte) == self.quote || self.continuation().is_some() {
                break;
            }
            self.at += self.text.get(self.at..)?.chars().next()?.len_utf8();
        }
        (self.at > start).then(|| Word::at(self.text, start..self.at))
    }

    /// `{{ field }}` of a template: the byte after it.
    fn template(&self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let near = rest.get(..boundary(rest, FAR))?;
        let line = near.lines().next()?;
        Some(self.at + line.find("}}")? + 2)
    }

    /// A bracket at `at` and what it holds: the byte after its partner.
    fn balanced(&self, at: usize, open: u8, close: u8) -> Option<usize> {
        let mut depth = 0_usize;
        let rest = self.bytes.get(at..)?;
        for (index, byte) in rest.iter().take(FAR).enumerate() {
            if *byte == open {
                depth += 1;
            } else if *byte == close {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + index + 1);
                }
            }
        }
        None
    }

    /// A quoted piece from here: the byte after its end. Double quotes may hold line ends and `\"`.
    fn quoted(&self, quote: u8) -> Option<usize> {
        let mut at = self.at + 1;
        while let Some(byte) = self.bytes.get(at).copied() {
            if byte == quote {
                return Some(at + 1);
            }
            if byte == b'\n' && self.one_line {
                return None;
            }
            // A quoted text does not reach beyond the one around it.
            if Some(byte) == self.quote {
                return None;
            }
            let escape = match self.syntax {
                Syntax::PowerShell => b'`',
                _ => b'\\',
            };
            at += if byte == escape && quote != b'\'' { 2 } else { 1 };
        }
        None
    }

    /// `\"…\"` inside of a quoted text, or one escaped character.
    fn escaped(&self) -> Option<usize> {
        if self.continuation().is_some() || matches!(self.syntax, Syntax::PowerShell | Syntax::Cmd) {
            return None;
        }
        let next = self.peek(1)?;
        if self.quote == Some(b'"') && next == b'"' {
            let rest = self.text.get(self.at + 2..)?;
            let rest = rest.get(..boundary(rest, FAR))?;
            let line = rest.find('\n').unwrap_or(rest.len());
            return Some(self.at + 2 + rest.get(..line)?.find("\\\"")? + 2);
        }
        let next = self.text.get(self.at + 1..)?.chars().next()?;
        (!next.is_whitespace()).then(|| self.at + 1 + next.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, syntax: Syntax) -> Vec<&str> {
        let words = words(text, 0, syntax, None, Place::Code);
        words.iter().map(|word| word.raw).collect()
    }

    #[test]
    fn words_keep_quotes_placeholders_and_brackets_whole() {
        let text =
            "az x -n <my cluster> -p \"a b\" -q '$X y' -v $(cat f | head) -w ${A:-b c} {{ a b }} z\\ \\\"";
        assert_eq!(
            cut(text, Syntax::Posix)[1..],
            [
                "x",
                "-n",
                "<my cluster>",
                "-p",
                "\"a b\"",
                "-q",
                "'$X y'",
                "-v",
                "$(cat f | head)",
                "-w",
                "${A:-b c}",
                "{{ a b }}",
                "z\\",
                "\\\""
            ]
        );
    }

    #[test]
    fn a_command_ends_where_it_ends() {
        for end in ["\nb", " | b", "; b", " && b", " # b", ") b", " & b", "|b"] {
            assert_eq!(cut(&format!("az x{end}"), Syntax::Posix), ["az", "x"], "{end}");
        }
        assert_eq!(
            cut("az x > out.txt -n y 2>&1 2>/dev/null z", Syntax::Posix),
            ["az", "x", "-n", "y", "z"]
        );
    }

    #[test]
    fn lines_are_continued_as_the_language_has_it() {
        assert_eq!(cut("az \\\n  x \\\r\n\ty\nz", Syntax::Make), ["az", "x", "y"]);
        assert_eq!(cut("az ^\r\n x\r\ny", Syntax::Cmd), ["az", "x"]);
        assert_eq!(cut("az `\n x `\n y\nz", Syntax::PowerShell), ["az", "x", "y"]);
        assert_eq!(cut("az \\\n x ^\n y `\n z", Syntax::Loose), ["az", "x", "y", "z"]);
    }

    #[test]
    fn an_apostrophe_in_a_comment_reaches_no_further_than_its_line() {
        let text = "az x 'a b' don't `y\naz z's";
        let of = |place| {
            words(text, 0, Syntax::Posix, None, place)
                .iter()
                .map(|w| w.raw)
                .collect::<Vec<_>>()
        };
        assert_eq!(of(Place::Text), ["az", "x", "'a b'", "don't", "`y"]);
        assert_eq!(of(Place::Code).last(), Some(&"don't `y\naz z's"));
    }

    #[test]
    fn an_open_quote_ends_the_call() {
        let inside = Some(b'"');
        let text = "az x -n \\\"a b\\\" -q 'c' y\" z";
        let found: Vec<_> = words(text, 0, Syntax::Posix, inside, Place::Code)
            .iter()
            .map(|w| w.raw)
            .collect();
        assert_eq!(found, ["az", "x", "-n", "\\\"a b\\\"", "-q", "'c'", "y"]);
    }
}
