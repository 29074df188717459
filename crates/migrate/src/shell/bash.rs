//! What the grammar of bash says about a place in a script.

use std::ops::Range;

use tree_sitter::{Node, Parser, Tree};

/// A script that was read.
pub struct Script {
    tree: Tree,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Around {
    /// A command: its words from there on.
    Command(Vec<Range<usize>>),
    /// A text in these quotes.
    Quoted(u8),
    /// A comment or the text of a here-document.
    Plain,
    /// The grammar can't say.
    Unclear,
}

impl Script {
    /// Reads a script; none where the parser is not to be had.
    pub fn read(text: &str) -> Option<Self> {
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_bash::LANGUAGE.into()).ok()?;
        Some(Self {
            tree: parser.parse(text, None)?,
        })
    }

    /// What stands around the byte `at`.
    pub fn around(&self, at: usize) -> Around {
        let mut node = self.tree.root_node().descendant_for_byte_range(at, at + 1);
        while let Some(here) = node {
            match here.kind() {
                "ERROR" => return Around::Unclear,
                "string" => return Around::Quoted(b'"'),
                "raw_string" | "ansi_c_string" => return Around::Quoted(b'\''),
                "comment" | "heredoc_body" => return Around::Plain,
                "command" if here.has_error() => return Around::Unclear,
                "command" => return Around::Command(words(here, at)),
                _ => node = here.parent(),
            }
        }
        Around::Unclear
    }
}

/// Words of a command from byte `at` on; redirections and assignments before it are none.
fn words(command: Node<'_>, at: usize) -> Vec<Range<usize>> {
    let mut cursor = command.walk();
    command
        .named_children(&mut cursor)
        .filter(|child| !child.kind().contains("redirect") && child.kind() != "variable_assignment")
        .filter(|child| child.end_byte() > at)
        .map(|child| child.start_byte().max(at)..child.end_byte())
        .collect()
}
