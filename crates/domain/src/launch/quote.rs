//! Text made safe for a shell.

/// One word that bash reads as exactly `text`, whatever is in it. (A process argument can hold no NUL.)
pub fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn bash_reads_back_any_text(text in "([^\\x00]|'|\\\\|\\$|\"| ){0,30}") {
            prop_assert_eq!(read_by_bash(&shell_quote(&text)), text);
        }
    }
}
