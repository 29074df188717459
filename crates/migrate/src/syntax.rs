//! Syntax trees of the languages that are scanned, and the few walks that every scanner needs.

use std::ops::Range;

use tree_sitter::{Language, Node, Parser, Tree};

/// The tree of `text`; `None` only where the grammar does not fit this build of the parser.
pub fn parse(language: &Language, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(language).ok()?;
    parser.parse(text, None)
}

/// Every node below `root`, itself first, in the order of the text.
pub fn nodes(root: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut waiting = vec![root];
    while let Some(node) = waiting.pop() {
        found.push(node);
        let mut cursor = node.walk();
        let children: Vec<Node<'_>> = node.children(&mut cursor).collect();
        waiting.extend(children.into_iter().rev());
    }
    found
}

/// The named children of `node`, comments left out.
pub fn named(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|child| !child.kind().ends_with("comment"))
        .collect()
}

/// What `node` stands in, nearest first.
pub fn ancestors(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    std::iter::successors(node.parent(), Node::parent)
}

/// The text of `node`.
pub fn text_of<'t>(node: Node<'_>, text: &'t str) -> &'t str {
    text.get(node.byte_range()).unwrap_or_default()
}

/// Does `outer` hold all of `inner`?
pub fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The line of a byte of `text`, the first is 1.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Where the line of `at` begins.
pub fn line_start(text: &str, at: usize) -> usize {
    text.get(..at)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |newline| newline + 1)
}

/// The blanks that the line of `at` begins with, if `at` is the first thing after them.
pub fn indent_before(text: &str, at: usize) -> Option<&str> {
    text.get(line_start(text, at)..at)
        .filter(|before| before.bytes().all(|byte| byte == b' ' || byte == b'\t'))
}
