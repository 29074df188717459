//! What the rules look at: the text files of the repository and the packages of the workspace.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// Folders, and in a git worktree a file, that hold nothing of ours.
const SKIPPED: &[&str] = &[
    "target",
    ".git",
    "__pycache__",
    "node_modules",
    ".venv",
    ".pytest_cache",
];

pub struct Tree {
    pub files: Vec<TextFile>,
    pub packages: Vec<Package>,
}

pub struct TextFile {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

pub struct Package {
    /// Without the prefix: `domain` for `trainyard-domain`; the binary's package is `cli`.
    pub name: String,
    /// The manifest's path relative to the root.
    pub manifest: String,
    pub dependencies: Vec<Dependency>,
}

pub struct Dependency {
    /// The package's full name.
    pub name: String,
    /// A dependency of tests only.
    pub dev: bool,
}

impl Tree {
    pub fn read(root: &Path, metadata: &Value) -> Result<Tree> {
        let mut files = Vec::new();
        read_folder(root, root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let packages = metadata["packages"]
            .as_array()
            .context("cargo metadata names no packages")?;
        let packages = packages
            .iter()
            .map(|package| read_package(root, package))
            .collect::<Result<_>>()?;
        Ok(Tree { files, packages })
    }

    pub fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl TextFile {
    pub fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// The folder below `crates/` in which the file lies.
    pub fn crate_name(&self) -> Option<&str> {
        Some(self.path.strip_prefix("crates/")?.split_once('/')?.0)
    }
}

/// The name used in our tables for a package of this workspace.
pub fn short_name(package: &str) -> Option<&str> {
    match package {
        "trainyard" => Some("cli"),
        "xtask" => Some("xtask"),
        other => other.strip_prefix("trainyard-"),
    }
}

fn read_package(root: &Path, package: &Value) -> Result<Package> {
    let name = package["name"].as_str().context("a package without a name")?;
    let manifest = package["manifest_path"]
        .as_str()
        .context("a package without a manifest")?;
    let dependencies = package["dependencies"]
        .as_array()
        .context("a package without dependencies")?;
    Ok(Package {
        name: short_name(name).unwrap_or(name).to_owned(),
        manifest: relative(root, Path::new(manifest)),
        dependencies: dependencies
            .iter()
            .filter_map(|dependency| {
                let name = dependency["name"].as_str()?.to_owned();
                Some(Dependency {
                    name,
                    dev: dependency["kind"].as_str() == Some("dev"),
                })
            })
            .collect(),
    })
}

fn read_folder(root: &Path, folder: &Path, into: &mut Vec<TextFile>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
            continue;
        }
        let kind = entry.file_type()?;
        let path = entry.path();
        if kind.is_dir() {
            read_folder(root, &path, into)?;
        } else if kind.is_file() {
            // What is not text is none of the rules' business.
            if let Ok(text) = String::from_utf8(std::fs::read(&path)?) {
                into.push(TextFile {
                    path: relative(root, &path),
                    text,
                });
            }
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
pub mod samples {
    //! Small trees for the rules' own tests.
    use super::*;

    pub fn files(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| TextFile {
            path: (*path).into(),
            text: (*text).into(),
        });
        Tree {
            files: files.collect(),
            packages: Vec::new(),
        }
    }

    /// A package of this short name with `(full name, dev)` dependencies.
    pub fn package(name: &str, dependencies: &[(&str, bool)]) -> Tree {
        let dependencies = dependencies.iter().map(|(name, dev)| Dependency {
            name: (*name).into(),
            dev: *dev,
        });
        let manifest = format!("crates/{name}/Cargo.toml");
        let package = Package {
            name: name.into(),
            manifest,
            dependencies: dependencies.collect(),
        };
        Tree {
            files: Vec::new(),
            packages: vec![package],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_from_metadata() {
        let metadata = serde_json::json!({
            "name": "trainyard-sched", "manifest_path": "/r/crates/sched/Cargo.toml",
            "dependencies": [{"name": "jiff", "kind": null}, {"name": "proptest", "kind": "dev"}],
        });
        let package = read_package(Path::new("/r"), &metadata).unwrap();
        assert_eq!(
            (package.name.as_str(), package.manifest.as_str()),
            ("sched", "crates/sched/Cargo.toml")
        );
        let found: Vec<_> = package
            .dependencies
            .iter()
            .map(|d| (d.name.as_str(), d.dev))
            .collect();
        assert_eq!(found, [("jiff", false), ("proptest", true)]);
    }

    #[test]
    fn short_names_are_those_of_the_folders() {
        assert_eq!(short_name("trainyard"), Some("cli"));
        assert_eq!(short_name("trainyard-engine-local"), Some("engine-local"));
        assert_eq!(short_name("serde"), None);
    }
}
