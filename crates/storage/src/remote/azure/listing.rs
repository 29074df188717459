//! Listings of Azure: pages of containers and of directories of shares.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::super::page::{Entries, RemotePage, child, name, read, text};
use crate::{EntryKind, Place};

/// What the names of everything beneath a directory begin with.
pub fn prefix(directory: &Place) -> String {
    match directory.path.as_str() {
        "" => String::new(),
        path => format!("{path}/"),
    }
}

/// Reads a page of a container, of which those are shown that begin with `prefix`.
pub fn of_blobs(prefix: &str, body: &str) -> Option<RemotePage> {
    let document = read(body)?;
    let root = document.root_element();
    let mut entries = Entries::default();
    for blob in child(root, "Blobs")?.children().filter(|node| node.is_element()) {
        let full = name(blob)?;
        let Some(name) = full.strip_prefix(prefix) else {
            continue;
        };
        match blob.tag_name().name() {
            "BlobPrefix" => entries.add(name.strip_suffix('/').unwrap_or(name), EntryKind::Directory),
            "Blob" if !marks_a_directory(blob) => entries.add(name, file(blob)?),
            _ => {}
        }
    }
    Some(entries.page(text(root, "NextMarker").map(str::to_owned)))
}

/// Whether a blob only says that there is a directory, as file systems over containers write it.
fn marks_a_directory(blob: roxmltree::Node<'_, '_>) -> bool {
    let mark = child(blob, "Metadata").and_then(|metadata| text(metadata, "hdi_isfolder"));
    mark.is_some_and(|mark| mark.eq_ignore_ascii_case("true"))
}

/// Reads a page of a directory of a share.
pub fn of_files(body: &str) -> Option<RemotePage> {
    let document = read(body)?;
    let root = document.root_element();
    let mut entries = Entries::default();
    for entry in child(root, "Entries")?
        .children()
        .filter(|node| node.is_element())
    {
        let name = name(entry)?;
        match entry.tag_name().name() {
            "Directory" => entries.add(&name, EntryKind::Directory),
            "File" => entries.add(&name, file(entry)?),
            _ => {}
        }
    }
    Some(entries.page(text(root, "NextMarker").map(str::to_owned)))
}

fn file(entry: roxmltree::Node<'_, '_>) -> Option<EntryKind> {
    let properties = child(entry, "Properties")?;
    let written = text(properties, "LastWriteTime").and_then(|time| time.parse().ok());
    let modified = || {
        rfc2822::parse(text(properties, "Last-Modified")?)
            .ok()
            .map(|time| time.timestamp())
    };
    Some(EntryKind::File {
        len: text(properties, "Content-Length")?.parse().ok()?,
        modified: written.or_else(modified).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the vendor documents the answer of List Directories and Files; no emulator has it.
    #[test]
    fn a_page_of_a_share_is_read() {
        let body = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://a/\" \
            ShareName=\"s\" DirectoryPath=\"d\"><MaxResults>3</MaxResults><Entries><File><FileId>1</FileId>\
            <Name>stdout.txt</Name><Properties><Content-Length>12</Content-Length>\
            <CreationTime>2026-01-01T00:00:00.0000000Z</CreationTime>\
            <LastWriteTime>2026-01-02T03:04:05.1234567Z</LastWriteTime>\
            <Last-Modified>Fri, 02 Jan 2026 03:04:05 GMT</Last-Modified></Properties></File>\
            <Directory><Name>a b</Name></Directory><File><Name Encoded=\"true\">x%EF%BF%BE</Name><Properties>\
            <Content-Length>0</Content-Length></Properties></File></Entries><NextMarker>next</NextMarker>\
            </EnumerationResults>";
        let page = of_files(body).unwrap();
        let file = |len, at: &str| EntryKind::File {
            len,
            modified: at.parse().unwrap(),
        };
        let shown: Vec<_> = page.entries.iter().map(|e| (e.name.as_str(), e.kind)).collect();
        assert_eq!(
            shown,
            [
                ("a b", EntryKind::Directory),
                ("stdout.txt", file(12, "2026-01-02T03:04:05.1234567Z")),
                ("x\u{fffe}", file(0, "1970-01-01T00:00:00Z")),
            ]
        );
        assert_eq!(page.next.as_deref(), Some("next"));
        for other in ["", "<Error/>", "<EnumerationResults/>", "no XML"] {
            assert_eq!(of_files(other), None, "{other}");
            assert_eq!(of_blobs("", other), None, "{other}");
        }
    }
}
