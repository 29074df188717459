//! Pages of listings, as stores write them in XML.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

use crate::{Entry, EntryKind, RelativePath};

/// The entries of a page, and where the next one begins.
#[derive(Debug, PartialEq, Eq)]
pub struct RemotePage {
    /// Sorted by name, none twice.
    pub entries: Vec<Entry>,
    /// The store's own mark of the next page.
    pub next: Option<String>,
}

/// The entries of a page as they are found.
#[derive(Default)]
pub struct Entries(BTreeMap<String, EntryKind>);

impl Entries {
    /// Notes an entry. What cannot be a name in a directory is left out, and so is the file that marks a directory
    /// beside that directory (behaviour.md section 7).
    pub fn add(&mut self, name: &str, kind: EntryKind) {
        let is_name =
            !name.contains('/') && RelativePath::parse(name).is_ok_and(|path| path.as_str() == name);
        if name.is_empty() || !is_name {
            return;
        }
        match kind {
            EntryKind::Directory => drop(self.0.insert(name.to_owned(), kind)),
            EntryKind::File { .. } => drop(self.0.entry(name.to_owned()).or_insert(kind)),
        }
    }

    /// The page.
    pub fn page(self, next: Option<String>) -> RemotePage {
        let entries = self.0.into_iter().map(|(name, kind)| Entry { name, kind });
        RemotePage {
            entries: entries.collect(),
            next: next.filter(|next| !next.is_empty()),
        }
    }
}

/// Reads XML; a byte order mark may stand before it.
pub fn read(text: &str) -> Option<Document<'_>> {
    Document::parse(text.trim_start_matches('\u{feff}')).ok()
}

/// The element of this name in `parent`.
pub fn child<'a, 'i>(parent: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    // Whatever the namespace: stores that speak S3 have several.
    parent.children().find(|node| node.tag_name().name() == name)
}

/// The text of the element of this name in `parent`.
pub fn text<'a>(parent: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(parent, name)?.text()
}

/// The name of a file or directory. One that XML cannot hold is percent-encoded, and says so.
pub fn name(parent: Node<'_, '_>) -> Option<String> {
    let name = child(parent, "Name")?;
    let text = name.text().unwrap_or_default();
    if name.attribute("Encoded") == Some("true") {
        let decoded = percent_decode_str(text).decode_utf8().ok()?;
        return Some(decoded.into_owned());
    }
    Some(text.to_owned())
}

/// What an error says: its code.
pub fn error_code(text: &str) -> Option<String> {
    let document = read(text)?;
    let code = document
        .descendants()
        .find(|node| node.tag_name().name() == "Code")?;
    let code = code.text()?.trim();
    let legal = (1..=80).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
    legal.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_hides_its_marker_and_odd_names_are_left_out() {
        let file = EntryKind::File {
            len: 0,
            modified: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut entries = Entries::default();
        for (name, kind) in [
            ("b", file),
            ("a", file),
            ("a", EntryKind::Directory),
            ("a", file),
            ("", file),
            ("..", file),
            (".", EntryKind::Directory),
            ("x/y", file),
        ] {
            entries.add(name, kind);
        }
        let page = entries.page(Some(String::new()));
        let shown: Vec<_> = page.entries.iter().map(|e| (e.name.as_str(), e.kind)).collect();
        assert_eq!(shown, [("a", EntryKind::Directory), ("b", file)]);
        assert_eq!(page.next, None);
    }

    #[test]
    fn codes_of_errors_are_read_and_nothing_else() {
        let azure = "\u{feff}<?xml version=\"1.0\"?><Error><Code>ContainerNotFound</Code><Message>x</Message></Error>";
        assert_eq!(error_code(azure).as_deref(), Some("ContainerNotFound"));
        for other in ["", "<html>", "<Error><Code>a b?sig=1</Code></Error>", "<Error/>"] {
            assert_eq!(error_code(other), None, "{other}");
        }
    }
}
