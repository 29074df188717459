//! Rules about files as such: how long they are, which must be there, how they are numbered.

use super::Finding;
use super::tree::{TextFile, Tree};

/// Above this many lines a file is split.
const LONGEST: usize = 1000;

const REQUIRED: &[&str] = &[
    ".ci/run",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "STYLE.md",
    "clippy.toml",
    "deny.toml",
];

const DECISIONS: &str = "docs/decisions/";

fn rust_files(tree: &Tree) -> impl Iterator<Item = &TextFile> {
    tree.files.iter().filter(|file| file.has_extension(&["rs"]))
}

/// The sizes of the `.rs` files, in words.
pub fn figures(tree: &Tree) -> String {
    let mut lengths: Vec<usize> = rust_files(tree).map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let longest = lengths.last().copied().unwrap_or(0);
    format!(
        "{} .rs files, median {median} lines, longest {longest}",
        lengths.len()
    )
}

/// No `.rs` file is longer than 1,000 lines.
pub fn file_length(tree: &Tree) -> Vec<Finding> {
    rust_files(tree)
        .filter_map(|file| {
            let lines = file.text.lines().count();
            let what = format!("{lines} lines, at most {LONGEST}: split it by topic");
            (lines > LONGEST).then(|| Finding {
                path: file.path.clone(),
                line: lines,
                rule: "file_length",
                what,
            })
        })
        .collect()
}

/// The documents and settings every reader and tool expects are there.
pub fn required_files(tree: &Tree) -> Vec<Finding> {
    let missing = REQUIRED.iter().filter(|path| tree.file(path).is_none());
    missing
        .map(|path| Finding {
            path: (*path).into(),
            line: 1,
            rule: "required_files",
            what: "it is not there: write it".into(),
        })
        .collect()
}

/// Decisions are `NNNN-words.md`, numbered from 0000 without gaps or doubles.
pub fn decisions(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut wanted = 0;
    for file in tree.files.iter().filter(|file| file.path.starts_with(DECISIONS)) {
        let name = &file.path[DECISIONS.len()..];
        let number = name
            .split_once('-')
            .filter(|(digits, _)| digits.len() == 4 && name.ends_with(".md"));
        let what = match number.and_then(|(digits, _)| digits.parse::<u32>().ok()) {
            Some(number) if number == wanted => {
                wanted += 1;
                continue;
            }
            Some(_) => format!("the next number is {wanted:04}: rename it"),
            None => "name it NNNN-words.md".to_owned(),
        };
        found.push(Finding {
            path: file.path.clone(),
            line: 1,
            rule: "decisions",
            what,
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tree::samples;
    use super::*;

    #[test]
    fn only_files_above_the_limit_are_found() {
        let at = "x\n".repeat(LONGEST);
        let above = "x\n".repeat(LONGEST + 1);
        let tree = samples::files(&[("a.rs", &at), ("b.rs", &above), ("c.md", &above)]);
        let found = file_length(&tree);
        assert_eq!(
            found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
            ["b.rs"]
        );
    }

    #[test]
    fn the_median_is_of_rust_files_only() {
        let tree = samples::files(&[
            ("a.rs", "1\n2\n3\n"),
            ("b.rs", "1\n"),
            ("c.rs", "1\n2\n"),
            ("d.md", "1\n"),
        ]);
        assert_eq!(figures(&tree), "3 .rs files, median 2 lines, longest 3");
    }

    #[test]
    fn missing_documents_are_named() {
        let present: Vec<(&str, &str)> = REQUIRED.iter().skip(1).map(|path| (*path, "")).collect();
        let found = required_files(&samples::files(&present));
        assert_eq!(
            found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
            [".ci/run"]
        );
    }

    #[test]
    fn decisions_have_neither_gaps_nor_doubles() {
        let check = |names: &[&str]| {
            let paths: Vec<String> = names.iter().map(|name| format!("{DECISIONS}{name}")).collect();
            let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
            decisions(&samples::files(&files)).len()
        };
        assert_eq!(check(&["0000-a.md", "0001-b.md"]), 0);
        assert_eq!(check(&["0000-a.md", "0002-b.md"]), 1);
        assert_eq!(check(&["0000-a.md", "0001-b.md", "0001-c.md"]), 1);
        assert_eq!(check(&["0000-a.md", "notes.md"]), 1);
    }
}
