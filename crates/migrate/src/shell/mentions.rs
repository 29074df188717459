//! Places in a text where a call of `az` may begin.

use crate::az::words::Syntax;

/// Groups of `az` that are looked for: Batch AI's, the one without `batchai` that a help text had, and those
/// which tell a region, a group or a subscription.
const WANTED: &[&str] = &["batchai", "file-server", "configure", "group", "account"];

/// First bytes of what may be calls, in order.
pub fn mentions(text: &str, syntax: Syntax) -> Vec<usize> {
    let mut found: Vec<usize> = text
        .match_indices("az")
        .map(|(at, _)| at)
        .filter(|at| begins_word(text, *at))
        .filter(|at| after_az(text, at + 2, syntax).is_some())
        .collect();
    found.extend(in_variables(text, syntax));
    found.sort_unstable();
    found.dedup();
    found
}

fn begins_word(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    before.is_none_or(|c| {
        c.is_whitespace()
            || matches!(
                c,
                '\u{feff}'
                    | '"'
                    | '\''
                    | '`'
                    | '('
                    | '!'
                    | '@'
                    | '='
                    | '/'
                    | '\\'
                    | ';'
                    | '&'
                    | '|'
                    | '>'
                    | '-'
                    | ':'
                    | '['
                    | '{'
            )
    })
}

/// The group after `az` or `az.cmd`, at `at` the byte after `az`.
fn after_az(text: &str, at: usize, syntax: Syntax) -> Option<&'static str> {
    let rest = text.get(at..)?;
    let rest = [".cmd", ".exe", ".bat"]
        .iter()
        .find_map(|end| rest.strip_prefix(end))
        .unwrap_or(rest);
    let rest = rest
        .strip_prefix('"')
        .filter(|_| text.get(..at).is_some_and(|b| b.contains('"')))
        .unwrap_or(rest);
    let gap = gap(rest, syntax)?;
    let rest = rest.get(gap..)?;
    let group = WANTED.iter().find(|group| rest.starts_with(**group))?;
    let next = rest.get(group.len()..)?.chars().next();
    next.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | '/' | '='))
        .then_some(group)
}

/// Length of the blanks and continued line ends at the beginning of `rest`; none where there is none.
fn gap(rest: &str, syntax: Syntax) -> Option<usize> {
    let mut at = 0;
    loop {
        let here = rest.get(at..)?;
        let blanks = here.len() - here.trim_start_matches([' ', '\t']).len();
        let after = here.get(blanks..)?;
        let mark = after.bytes().next();
        let line = after
            .get(1..)
            .and_then(|rest| rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')));
        match (mark, line) {
            (Some(mark), Some(line)) if syntax.continues(mark) => at = rest.len() - line.len(),
            _ => return (at + blanks > 0).then_some(at + blanks),
        }
    }
}

/// `$AZ batchai`, `%AZ% batchai`: a variable that is named after `az`.
fn in_variables(text: &str, syntax: Syntax) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, word) in text.match_indices("batchai") {
        let before = text.get(..at).unwrap_or_default();
        let name = before.trim_end_matches([' ', '\t']);
        if name.len() == before.len()
            || text
                .get(at + word.len()..)
                .is_none_or(|rest| !rest.starts_with([' ', '\t']))
        {
            continue;
        }
        let start = name.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let variable = name.get(start..).unwrap_or_default();
        let inner: String = variable.chars().filter(char::is_ascii_alphanumeric).collect();
        let is_variable = variable
            .trim_start_matches(['"', '@', '&'])
            .starts_with(['$', '%']);
        if is_variable
            && inner.to_lowercase().starts_with("az")
            && gap(before.get(name.len()..).unwrap_or_default(), syntax).is_some()
        {
            let skipped = variable.len() - variable.trim_start_matches(['@', '&']).len();
            found.push(start + skipped);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_begin_at_a_word_az() {
        let begins = |text: &str| {
            mentions(text, Syntax::Posix)
                .into_iter()
                .map(|at| text.get(at..).unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(begins("x; az  batchai job"), ["az  batchai job"]);
        assert_eq!(begins("/usr/bin/az \\\n batchai job"), ["az \\\n batchai job"]);
        assert_eq!(begins("$AZ batchai job"), ["$AZ batchai job"]);
        assert_eq!(
            begins("blaz batchai, az-batchai, az batchai-x, az batchai.md, az\nbatchai"),
            [""; 0]
        );
        assert_eq!(begins("az.cmd batchai x"), ["az.cmd batchai x"]);
    }
}
