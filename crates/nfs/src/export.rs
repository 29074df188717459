//! What is exported.

use std::fmt;
use std::path::PathBuf;

/// A folder that clients are to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// A name of the folder that is never used again for another: its number goes by it.
    pub name: String,
    /// Where it is on this machine.
    pub folder: PathBuf,
    /// Where clients find it.
    pub at: ExportPath,
}

/// Text that cannot stand in the NFS server's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} cannot be exported by NFS: {rule}")]
pub struct BadText {
    what: &'static str,
    text: String,
    rule: &'static str,
}

impl BadText {
    pub(crate) fn new(what: &'static str, text: impl Into<String>, rule: &'static str) -> BadText {
        BadText {
            what,
            text: text.into(),
            rule,
        }
    }
}

/// Text as it stands in the configuration, between quotation marks. The program knows escapes and mangles some of them,
/// so text that needs one is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    /// Takes text; `what` says of what, for the message.
    pub fn new(what: &'static str, text: &str) -> Result<Quoted, BadText> {
        const RULE: &str = "it must not have quotation marks, backslashes or control characters";
        let bad = |c: char| c == '"' || c == '\\' || c.is_control();
        if text.is_empty() || text.chars().any(bad) {
            return Err(BadText::new(what, text, RULE));
        }
        Ok(Quoted(text.to_owned()))
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// Where clients find an export: names, each behind a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExportPath(String);

impl ExportPath {
    /// The path of these names, at least one.
    ///
    /// # Errors
    /// [`BadText`] for a name that leads elsewhere or that the NFS server could take for more than a name.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<ExportPath, BadText> {
        const RULE: &str = "names have letters, digits and '-', '_', '.', '(', ')'";
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.()".contains(&b);
        let mut path = String::new();
        for name in names {
            if name.is_empty() || name == "." || name == ".." || !name.bytes().all(legal) {
                return Err(BadText::new("the name", name, RULE));
            }
            path.push('/');
            path.push_str(name);
        }
        if path.is_empty() {
            return Err(BadText::new("the name", "", RULE));
        }
        Ok(ExportPath(path))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_out_are_refused() {
        let path = ExportPath::new(["Group.(1)", "ws_2", "data-3"]).unwrap();
        assert_eq!(path.as_str(), "/Group.(1)/ws_2/data-3");
        for name in [
            "", ".", "..", "a/b", "a\"", "a;", "a}", "a b", "a\n", "a#", "é", "$a", "a\\",
        ] {
            assert!(ExportPath::new(["ws", name]).is_err(), "{name:?}");
        }
        assert!(ExportPath::new([]).is_err());
    }

    #[test]
    fn quoted_text_has_nothing_that_ends_it() {
        let text = "/srv/it's (mine) é $HOME;}#%";
        assert_eq!(
            Quoted::new("the folder", text).unwrap().to_string(),
            format!("\"{text}\"")
        );
        for text in ["", "a\"; }", "a\\", "a\nEXPORT {", "a\u{7f}"] {
            assert!(Quoted::new("the folder", text).is_err(), "{text:?}");
        }
    }
}
