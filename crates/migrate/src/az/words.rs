//! The words of one call, with their places.

use std::ops::Range;

/// One word as it stands in the text, quotes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    /// Byte of the text where it begins.
    pub start: usize,
    /// Its text.
    pub raw: &'a str,
}

impl<'a> Word<'a> {
    /// The word of `text` at these bytes; empty where they are none.
    pub fn at(text: &'a str, span: Range<usize>) -> Self {
        Self {
            start: span.start,
            raw: text.get(span).unwrap_or_default(),
        }
    }

    /// Its bytes in the text.
    pub fn span(&self) -> Range<usize> {
        self.start..self.end()
    }

    /// The byte after it.
    pub fn end(&self) -> usize {
        self.start + self.raw.len()
    }

    /// What it means where nothing is a variable: without quotes.
    pub fn plain(&self) -> String {
        plain(self.raw)
    }

    /// Whether argparse would take it for an option: a dash and more, outside quotes or in.
    pub fn is_option(&self) -> bool {
        let (_, inner, _) = unwrap(self.raw);
        inner.len() > 1
            && inner.starts_with('-')
            && (self.raw.starts_with('-') || !inner.contains(' '))
            && !inner
                .trim_start_matches('-')
                .starts_with(|c: char| c.is_ascii_digit())
    }

    /// Whether it is nothing but a variable that may stand for several words or none: `$OPTIONS`, `"$@"`,
    /// `${args[@]}`, `%ARGS%`, `@args`, `$(cat args)`.
    pub fn is_splice(&self) -> bool {
        let (open, inner, _) = unwrap(self.raw);
        let list = inner.contains("@]") || inner == "$@" || inner == "$*";
        list || (open.is_empty()
            && (inner.starts_with('$')
                || inner.starts_with('`')
                || (inner.len() > 1 && inner.starts_with('@'))
                || (inner.len() > 2 && inner.starts_with('%') && inner.ends_with('%'))))
    }
}

/// `raw` in three: the quote that opens it, what is between, the quote that closes it. The quotes are empty
/// where it is not in one pair of them. A quote inside of a quoted text is written `\"`.
pub fn unwrap(raw: &str) -> (&str, &str, &str) {
    for quote in ["\\\"", "\"", "'"] {
        if let Some(inner) = raw.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            let last = quote.chars().last().unwrap_or('"');
            if !inner.contains(last) {
                return (quote, inner, quote);
            }
        }
    }
    ("", raw, "")
}

/// `raw` without its quotes.
pub fn plain(raw: &str) -> String {
    raw.replace("\\\"", "\"")
        .chars()
        .filter(|c| !matches!(c, '"' | '\''))
        .collect()
}

/// Whether a text says its value itself: no variable, no command, no field of a template, no placeholder.
pub fn is_literal(text: &str) -> bool {
    !text.contains(['$', '`', '%', '{', '}', '<', '>', '@', '!', '*'])
}

/// Whether a text can be the name of a region: letters, digits, blanks, and what some tools put between.
pub fn is_name(text: &str) -> bool {
    // A blank may be escaped.
    text.replace("\\ ", " ")
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_'))
}

/// Whether two values name the same group: names are the same in capitals, those of variables are not.
pub fn same_group(one: &str, other: &str) -> bool {
    // `${X}` is `$X`.
    let bare = |raw: &str| {
        let inner = unwrap(raw).1;
        let name = inner.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let name = name.filter(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        name.map_or_else(|| inner.to_owned(), |name| format!("${name}"))
    };
    let (one, other) = (bare(one), bare(other));
    one == other || (is_literal(&one) && one.eq_ignore_ascii_case(&other))
}

/// Whether a value means another thing elsewhere in the text: `$1`, `%2`, `{0}`, `{}`, `%s`.
pub fn is_local(raw: &str) -> bool {
    let place = |c: char| c.is_ascii_digit() || matches!(c, '@' | '*' | '~');
    let variable = raw.match_indices(['$', '%']).any(|(at, _)| {
        let rest = raw.get(at + 1..).unwrap_or_default();
        let rest = rest.strip_prefix(['{', '(']).unwrap_or(rest);
        rest.starts_with(place) || (raw.contains("%s") && rest.starts_with('s'))
    });
    let field = raw.match_indices('{').any(|(at, _)| {
        let before = raw.get(..at).unwrap_or_default();
        let rest = raw.get(at + 1..).unwrap_or_default();
        !before.ends_with('$') && rest.starts_with(|c: char| c == '}' || c.is_ascii_digit())
    });
    variable || field
}

/// How a file writes what continues a line and what is a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Syntax {
    /// A Unix shell.
    #[default]
    Posix,
    /// Rules of a Makefile.
    Make,
    /// PowerShell.
    PowerShell,
    /// Batch files of Windows.
    Cmd,
    /// Documents: any of them.
    Loose,
}

impl Syntax {
    /// Whether this character before the end of a line continues it.
    pub fn continues(self, c: u8) -> bool {
        match self {
            Self::Posix | Self::Make => c == b'\\',
            Self::PowerShell => c == b'`',
            Self::Cmd => c == b'^',
            Self::Loose => matches!(c, b'\\' | b'`' | b'^'),
        }
    }
}

/// Whether a call is run where it stands, or is a text that speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// It is run.
    #[default]
    Code,
    /// It stands in a text: a message, a comment, prose. Without options it is only a mention.
    Text,
}

/// A command line that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site<'a> {
    /// The text in which it stands.
    pub text: &'a str,
    /// Its words, from `az` to the last.
    pub words: Vec<Word<'a>>,
    /// Whether it is run.
    pub place: Place,
    /// How its file writes things.
    pub syntax: Syntax,
    /// Whether it stands in quotes, so that it can't have its own.
    pub quoted: bool,
    /// Whether its text is put together of pieces, of which this is only the first: `"az … -n " + name`.
    pub goes_on: bool,
    /// Whether a line may be put before it, at the line on which it begins.
    pub own_line: bool,
}

impl Site<'_> {
    /// Its bytes in the text.
    pub fn span(&self) -> Range<usize> {
        let start = self.words.first().map_or(0, |word| word.start);
        start..self.words.last().map_or(start, Word::end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_come_off_in_pairs() {
        assert_eq!(unwrap("\"$LOC\""), ("\"", "$LOC", "\""));
        assert_eq!(unwrap("\\\"a b\\\""), ("\\\"", "a b", "\\\""));
        assert_eq!(unwrap("a\"b\""), ("", "a\"b\"", ""));
        assert_eq!(unwrap("\"a\"b\"c\""), ("", "\"a\"b\"c\"", ""));
        assert_eq!(plain("a\"b c\"'d'"), "ab cd");
    }

    #[test]
    fn groups_are_the_same_however_their_variable_is_written() {
        for (one, other) in [("$G", "\"${G}\""), ("g", "G"), ("'g'", "g")] {
            assert!(same_group(one, other), "{one} {other}");
        }
        for (one, other) in [("$G", "$g"), ("${G:-x}", "$G"), ("a", "b")] {
            assert!(!same_group(one, other), "{one} {other}");
        }
    }

    #[test]
    fn arguments_of_a_function_and_fields_by_number_mean_a_thing_in_one_place_only() {
        for raw in [
            "$1", "\"${2}\"", "$@", "$(1)", "%1", "%~2", "{0}", "x{}", "%s", "${1:-x}",
        ] {
            assert!(is_local(raw), "{raw}");
        }
        for raw in ["$LOC", "${LOC}", "%LOC%", "{location}", "eastus2", "$(LOC)"] {
            assert!(!is_local(raw), "{raw}");
        }
    }

    #[test]
    fn options_and_splices_are_told_from_values() {
        let word = |raw| Word { start: 0, raw };
        for option in ["-n", "--name=x", "\"-n\"", "-nx", "-n='a b'", "-n\"a b\""] {
            assert!(word(option).is_option(), "{option}");
        }
        for value in ["-", "-1", "--5", "n", "\"-a b\"", "$X"] {
            assert!(!word(value).is_option(), "{value}");
        }
        for splice in ["$OPTS", "\"$@\"", "\"${a[@]}\"", "%ARGS%", "@args", "$(cat x)"] {
            assert!(word(splice).is_splice(), "{splice}");
        }
        for value in ["\"$A\"", "a$B", "@", "{0}"] {
            assert!(!word(value).is_splice(), "{value}");
        }
    }
}
