//! Comments above calls that are left to a person.

use std::path::Path;

use crate::edit::Edit;

/// How the comment begins; who has dealt with one removes it.
pub const MARK: &str = "trainyard: ";

/// The comment above the line with byte `at`; none where the kind of file has no comments, where the line above
/// leads into this one, or where the comment is there already.
pub fn above(path: &Path, text: &str, at: usize, say: &str) -> Option<Edit> {
    let sign = sign(path)?;
    let line = text.get(..at)?.rfind('\n').map_or(0, |at| at + 1);
    let before = text.get(..line)?;
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let above = before
        .trim_end_matches(['\r', '\n'])
        .rsplit('\n')
        .next()
        .unwrap_or_default();
    let leads = before
        .trim_end_matches([' ', '\t', '\r', '\n'])
        .ends_with(['\\', '^', '`', '&', '|', '(', ',']);
    if leads || above.contains(MARK) {
        return None;
    }
    let rest = text.get(line..)?;
    let indent = rest.get(..rest.len() - rest.trim_start_matches([' ', '\t']).len())?;
    let say = say.replace(['\r', '\n'], " ");
    Some(Edit {
        span: line..line,
        text: format!("{indent}{sign} {MARK}{say}{end}"),
    })
}

/// What begins a comment in a file of this kind.
fn sign(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let ending = name.rsplit_once('.').map_or(name.as_str(), |(_, ending)| ending);
    match ending {
        "sh" | "bash" | "zsh" | "ksh" | "ps1" | "psm1" | "yml" | "yaml" | "mk" | "mak" | "makefile"
        | "gnumakefile" | "dockerfile" | "py" => Some("#"),
        "bat" | "cmd" => Some("REM"),
        "js" | "ts" | "java" | "cs" | "go" => Some("//"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::apply;

    #[test]
    fn a_comment_comes_once_with_the_indent_of_its_call() {
        let text = "if x\n\taz y\n";
        let edit = above(Path::new("a.sh"), text, 6, "which?").unwrap();
        let marked = apply(text, &[edit]).unwrap();
        assert_eq!(marked, "if x\n\t# trainyard: which?\n\taz y\n");
        assert_eq!(
            above(Path::new("a.sh"), &marked, marked.find("az").unwrap(), "which?"),
            None
        );
        assert_eq!(above(Path::new("a.md"), text, 6, "which?"), None);
        assert_eq!(above(Path::new("a.sh"), "x \\\n az y", 5, "which?"), None);
    }
}
