//! `cargo xtask tidy`: the project's own rules, each a function from the tree to findings.

mod crates;
mod layout;
mod text;
mod tree;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::world::World;
use tree::Tree;

/// A place that breaks a rule, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.what)
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    crates::directions,
    crates::forbidden_packages,
    crates::inherited,
    crates::one_clippy_toml,
    layout::file_length,
    layout::required_files,
    layout::decisions,
    text::markers,
    text::sleeps,
    text::machine_paths,
    text::registry_hosts,
    text::sql,
];

/// Checks every rule and prints what was found; `true` when nothing was.
pub fn run(world: &World) -> Result<bool> {
    let tree = Tree::read(&world.root, &metadata(world)?)?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {}; {} findings", layout::figures(&tree), findings.len());
    Ok(findings.is_empty())
}

/// Where cargo builds to.
pub fn target_folder(world: &World) -> Result<PathBuf> {
    let metadata = metadata(world)?;
    Ok(metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target_directory")?
        .into())
}

fn metadata(world: &World) -> Result<serde_json::Value> {
    let output = world
        .cargo(&["metadata", "--format-version", "1", "--no-deps"])
        .output()?;
    if !output.status.success() {
        anyhow::bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("the answer of cargo metadata")
}
