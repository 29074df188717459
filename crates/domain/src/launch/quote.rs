//! Text made safe for a shell.

use super::expand::reference;

/// One word that bash reads as exactly `text`, whatever is in it. (A process argument can hold no NUL.)
pub fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// One word that bash reads as `text` with its variables, `$NAME` and `${NAME}`, put in: nothing else in it is
/// read, neither in the text nor in the values. So a path is what it is on the node where the shell runs.
pub(super) fn shell_word(text: &str) -> String {
    let mut out = String::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        literal.push_str(&rest[..at]);
        let from = &rest[at..];
        match reference(from).filter(|(name, _)| is_variable(name)) {
            Some((name, length)) => {
                push_quoted(&mut out, &mut literal);
                out.push_str(&format!("\"${{{name}}}\""));
                rest = &from[length..];
            }
            None => {
                literal.push('$');
                rest = &from[1..];
            }
        }
    }
    literal.push_str(rest);
    push_quoted(&mut out, &mut literal);
    if out.is_empty() { shell_quote("") } else { out }
}

fn push_quoted(out: &mut String, literal: &mut String) {
    if !literal.is_empty() {
        out.push_str(&shell_quote(literal));
        literal.clear();
    }
}

/// Whether bash takes it for the name of a variable.
fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What bash makes of a word: the argument that a command gets.
    fn read_by_bash(word: &str) -> String {
        #[expect(
            clippy::disallowed_methods,
            reason = "a real bash, waited for, is the judge of quoting"
        )]
        let output = std::process::Command::new("bash")
            .args(["-c", &format!("printf %s {word}")])
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn bash_reads_back_what_was_quoted() {
        for text in [
            "",
            "a b",
            "it's",
            "'",
            "''\\'",
            "$HOME `id` $(id) !x",
            "a\nb\t*?[",
            "-n",
            "~",
            "é🚂",
        ] {
            assert_eq!(read_by_bash(&shell_quote(text)), text);
        }
    }

    #[test]
    fn a_word_has_its_variables_put_in_and_nothing_else() {
        for (text, expected) in [
            ("$AZ_X/it's here.py", "\"${AZ_X}\"'/it'\\''s here.py'"),
            ("${AZ_X}y", "\"${AZ_X}\"'y'"),
            ("python3", "'python3'"),
            ("$(id) $1 $ ${A-b} $", "'$(id) $1 $ ${A-b} $'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), expected, "{text}");
        }
        assert_eq!(read_by_bash(&shell_word("$NO_SUCH_VARIABLE/a $(id)")), "/a $(id)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn bash_reads_back_any_text(text in "([^\\x00]|'|\\\\|\\$|\"| ){0,30}") {
            prop_assert_eq!(read_by_bash(&shell_quote(&text)), text);
        }
    }
}
