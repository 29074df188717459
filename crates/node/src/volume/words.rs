//! A command line as words, as a shell would split it, and without a shell.

/// Why a command line cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A quote is open at the end.
    #[error("a quote in it is not closed")]
    Open,
    /// It would mean something to a shell.
    #[error(
        "'{0}' would need a shell, and it is run without one: put it into quotes if it is meant as it is"
    )]
    Shell(char),
}

/// The words. What only a shell can do (variables, pipes, more than one command) is refused.
pub fn split(line: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(WordsError::Open)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => quoted(word.get_or_insert_default(), &mut chars)?,
            '\\' => word
                .get_or_insert_default()
                .push(chars.next().ok_or(WordsError::Open)?),
            '$' | '`' | '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '?' => {
                return Err(WordsError::Shell(c));
            }
            '#' if word.is_none() => return Err(WordsError::Shell(c)),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// What is between double quotes.
fn quoted(word: &mut String, chars: &mut std::str::Chars<'_>) -> Result<(), WordsError> {
    loop {
        match chars.next().ok_or(WordsError::Open)? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or(WordsError::Open)? {
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c @ ('$' | '`') => return Err(WordsError::Shell(c)),
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        for (line, expected) in [
            (
                "mount -t nfs 10.0.0.4:/x",
                vec!["mount", "-t", "nfs", "10.0.0.4:/x"],
            ),
            ("  a\t'b c'\"d e\"f  ''", vec!["a", "b cd ef", ""]),
            (r#"a\ b "x\"y\n""#, vec!["a b", r#"x"y\n"#]),
            ("", vec![]),
        ] {
            assert_eq!(split(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_needs_a_shell_is_refused() {
        for (line, found) in [
            ("mount x; reboot", ';'),
            ("mount $HOME", '$'),
            ("a | b", '|'),
            ("a \"`b`\"", '`'),
            ("a > b", '>'),
        ] {
            assert_eq!(split(line), Err(WordsError::Shell(found)), "{line}");
        }
        for open in ["'a", "\"a", "a\\"] {
            assert_eq!(split(open), Err(WordsError::Open), "{open}");
        }
        assert_eq!(split("'a;b'").unwrap(), ["a;b"]);
    }
}
