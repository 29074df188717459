//! Edits of one call: names of options, options that go, options that come. Everything else stays.

use std::ops::Range;

use super::grammar::{Command, Opt};
use super::parse::{Attach, Given, Value};
use super::words::{Site, Syntax, Word, is_literal, is_name, unwrap};
use crate::edit::Edit;

/// Collects the edits of one call.
pub struct Writer<'s, 'a> {
    site: &'s Site<'a>,
    edits: Vec<Edit>,
    /// Options that come, each as it is to be written.
    appended: Vec<String>,
    long: bool,
}

impl<'s, 'a> Writer<'s, 'a> {
    /// For a call with these options.
    pub fn new(site: &'s Site<'a>, given: &[Given<'_>]) -> Self {
        let long = given.iter().filter(|one| one.name.raw.starts_with("--")).count();
        Self {
            site,
            edits: Vec::new(),
            appended: Vec::new(),
            long: long * 2 > given.len(),
        }
    }

    /// The bytes become `text`, if they are not that already.
    pub fn replace(&mut self, span: Range<usize>, text: impl Into<String>) {
        let text = text.into();
        if self.site.text.get(span.clone()) != Some(text.as_str()) {
            self.edits.push(Edit { span, text });
        }
    }

    /// The option gets the name that it has in `target`, where that is another one.
    pub fn rename(&mut self, target: &'static Command, given: &Given<'_>, option: &'static Opt) {
        if let Some(name) = respell(given.name.raw, target, option) {
            self.name(given, name);
        }
        if let Some((value, joined)) = joined(given) {
            self.replace(value.span.clone(), joined);
        }
    }

    fn name(&mut self, given: &Given<'_>, name: &str) {
        let glued = given.attach == Attach::Glued && name.starts_with("--");
        let gap = if glued { " " } else { "" };
        self.replace(given.name.span(), format!("{name}{gap}"));
    }

    /// The words of the command become those of `target`, from the first that differs.
    pub fn command(&mut self, words: &[Word<'_>], target: &Command) {
        let wanted: Vec<&str> = target.path.split(' ').collect();
        let same = words
            .iter()
            .zip(&wanted)
            .take_while(|(word, wanted)| word.plain() == **wanted)
            .count();
        let (rest, wanted) = (
            words.get(same..).unwrap_or_default(),
            wanted.get(same..).unwrap_or_default(),
        );
        if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
            self.replace(first.start..last.end(), wanted.join(" "));
        }
    }

    /// The option gets another name; its value stays.
    pub fn name_only(&mut self, given: &Given<'_>, name: &str) {
        self.name(given, name);
    }

    /// The option becomes another one, with another value.
    pub fn put(&mut self, given: &Given<'_>, option: &Opt, value: &str) {
        let long = given.name.raw.starts_with("--");
        self.name(given, name(option, long));
        if let Some(old) = &given.value {
            self.replace(old.span.clone(), value);
        }
    }

    /// The option goes, with the blanks before it.
    pub fn remove(&mut self, given: &Given<'_>) {
        let mut span = given.span();
        // A word in quotes goes with them.
        if let Some(word) = self
            .site
            .words
            .iter()
            .find(|word| word.span().contains(&span.start))
        {
            span.start = word.start;
            span.end = span.end.max(word.end());
        }
        span.start -= self.gap_before(span.start).len();
        self.edits.push(Edit {
            span,
            text: String::new(),
        });
    }

    /// Blanks and continued line ends before byte `at`.
    fn gap_before(&self, at: usize) -> &'a str {
        let before = self.site.words.iter().rev().find(|word| word.end() <= at);
        let gap = before
            .and_then(|word| self.site.text.get(word.end()..at))
            .unwrap_or_default();
        let blank = |c: char| c.is_whitespace() || self.site.syntax.continues(c as u8);
        match gap.rfind(|c| !blank(c)) {
            None => gap,
            Some(_) => {
                let kept = gap.trim_end_matches([' ', '\t']);
                gap.get(kept.len()..).unwrap_or_default()
            }
        }
    }

    /// The option comes at the end of the call, named as most of the others are.
    pub fn append(&mut self, option: &Opt, value: Option<&str>) {
        let name = name(option, self.long);
        self.appended.push(match value {
            Some(value) => format!("{name} {value}"),
            None => name.to_owned(),
        });
    }

    /// All edits.
    pub fn finish(mut self) -> Vec<Edit> {
        let end = self.site.span().end;
        let gap = self.last_gap();
        // What goes from the end must not take along what comes there.
        for option in std::mem::take(&mut self.appended) {
            self.edits.push(Edit {
                span: end..end,
                text: format!("{gap}{option}"),
            });
        }
        self.edits
    }

    /// What stands before the last option: a blank, or a continued line end where each option has its line.
    fn last_gap(&self) -> String {
        let last = self.site.words.iter().rposition(Word::is_option);
        let words = &self.site.words;
        let own_lines = last.and_then(|last| {
            let word = words.get(last)?;
            let before = words.get(last.checked_sub(1)?)?;
            let gap = self.site.text.get(before.end()..word.start)?;
            let clean = |c: char| c.is_whitespace() || self.site.syntax.continues(c as u8);
            (gap.contains('\n') && gap.chars().all(clean)).then(|| gap.to_owned())
        });
        own_lines.unwrap_or_else(|| " ".to_owned())
    }
}

fn joined<'g>(given: &'g Given<'_>) -> Option<(&'g Value<'g>, &'g str)> {
    let value = given.value.as_ref()?;
    // Several ids of `--ids` are several values: they stay.
    (given.option.takes == super::grammar::Takes::One).then_some(())?;
    Some((value, value.joined.as_deref()?))
}

fn name(option: &Opt, long: bool) -> &'static str {
    if long {
        return option.long();
    }
    option.short().unwrap_or(option.long())
}

/// The name of `option` in the place of `old`; none where `old` is good enough.
fn respell(old: &str, target: &'static Command, option: &'static Opt) -> Option<&'static str> {
    let whole_name_of_old = ["--config", "--nfs-name"].contains(&old);
    if option.names.contains(&old) {
        return None;
    }
    if !whole_name_of_old && target.resolve(old).is_ok_and(|found| found.role == option.role) {
        return None;
    }
    Some(name(option, old.starts_with("--")))
}

/// `before` and a value in one word, as the value was quoted: `"$LOC"` gives `"migrated-$LOC"`.
pub fn prefixed(before: &str, raw: &str, site: &Site<'_>) -> String {
    let (open, inner, close) = unwrap(raw);
    if is_name(inner) && !inner.contains(' ') {
        return format!("{before}{inner}");
    }
    if site.syntax == Syntax::PowerShell && needs_brackets(inner) {
        let quote = if site.quoted { "" } else { "\"" };
        return format!("{quote}{before}$({inner}){quote}");
    }
    // A variable in single quotes is none; text in them stays as it is.
    format!("{open}{before}{inner}{close}")
}

/// In PowerShell `a$x.y` is `$x` and then `.y`.
fn needs_brackets(inner: &str) -> bool {
    inner.starts_with('$') && !inner.starts_with("$(") && inner.contains(['.', '['])
}

/// Pieces of a path, some of which are values of the call, in one word. It is quoted where one of them was.
pub fn path(pieces: &[(&str, bool)], site: &Site<'_>) -> String {
    let mut quote = "";
    let mut text = String::new();
    let varies = |(piece, is_value): &(&str, bool)| {
        *is_value && !piece.starts_with('\'') && piece.contains(['$', '`'])
    };
    let varies = pieces.iter().any(varies);
    for (piece, is_value) in pieces {
        let (open, inner, _) = unwrap(piece);
        if !is_value {
            text.push_str(piece);
            continue;
        }
        if quote.is_empty() && (inner.contains(' ') || !is_literal(inner)) {
            quote = open;
        }
        if site.syntax == Syntax::PowerShell && needs_brackets(inner) {
            quote = if site.quoted { "" } else { "\"" };
            text.push_str(&format!("$({inner})"));
        } else {
            text.push_str(inner);
        }
    }
    // In single quotes a variable would be none.
    let quote = if varies && quote == "'" && !site.quoted {
        "\""
    } else {
        quote
    };
    format!("{quote}{text}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::az::words::Place;

    fn site(syntax: Syntax, quoted: bool) -> Site<'static> {
        Site {
            text: "",
            words: Vec::new(),
            place: Place::Code,
            syntax,
            quoted,
            goes_on: false,
            own_line: false,
        }
    }

    #[test]
    fn quotes_stay_where_a_value_gets_a_beginning() {
        let bash = site(Syntax::Posix, false);
        for (raw, now) in [
            ("eastus", "m-eastus"),
            ("\"$L\"", "\"m-$L\""),
            ("\\\"$L\\\"", "\\\"m-$L\\\""),
            ("${L:-x}", "m-${L:-x}"),
            ("<a b>", "m-<a b>"),
        ] {
            assert_eq!(prefixed("m-", raw, &bash), now);
        }
        assert_eq!(
            prefixed("m-", "$x.y", &site(Syntax::PowerShell, false)),
            "\"m-$($x.y)\""
        );
        assert_eq!(
            prefixed("m-", "$x.y", &site(Syntax::PowerShell, true)),
            "m-$($x.y)"
        );
        assert_eq!(prefixed("m-", "$x", &site(Syntax::PowerShell, false)), "m-$x");
    }

    #[test]
    fn a_path_is_quoted_so_that_its_variables_are_read() {
        let bash = site(Syntax::Posix, false);
        let of = |a, b| path(&[("/g/", false), (a, true), ("/", false), (b, true)], &bash);
        assert_eq!(of("g", "'c'"), "/g/g/c");
        assert_eq!(of("\"$G\"", "c"), "\"/g/$G/c\"");
        assert_eq!(of("'x y'", "c"), "'/g/x y/c'");
        assert_eq!(of("'x y'", "$C"), "\"/g/x y/$C\"");
    }
}
