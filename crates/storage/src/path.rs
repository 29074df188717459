//! Relative paths beneath a share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::shortened;

/// The longest path in bytes: one less than Linux' PATH_MAX, which counts the ending NUL.
const MAX_LEN: usize = 4095;
/// The longest segment in bytes (NAME_MAX).
const MAX_SEGMENT: usize = 255;

/// A path that cannot be one beneath a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path {found:?} is not valid: {why}")]
pub struct BadPath {
    found: String,
    why: &'static str,
}

impl BadPath {
    fn new(found: &str, why: &'static str) -> Self {
        Self {
            found: shortened(found),
            why,
        }
    }
}

/// A normalised path beneath a share's root: segments joined by `/`, none empty, `.` or `..`, no leading or
/// trailing slash. The empty path is the root itself.
///
/// It is only text: whether symbolic links on the way lead out is found when it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelativePath(String);

impl RelativePath {
    /// The root of the share.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Normalises `path`: `.`, empty segments and a trailing slash vanish (`./a//b/` is `a/b`).
    ///
    /// # Errors
    /// [`BadPath`] for an absolute path, a `..` anywhere, a NUL byte, a segment above 255 bytes or more than
    /// 4,095 bytes in all.
    pub fn parse(path: &str) -> Result<Self, BadPath> {
        if path.starts_with('/') {
            return Err(BadPath::new(path, "it must be relative, without a leading '/'"));
        }
        if path.contains('\0') {
            return Err(BadPath::new(path, "it must not hold a NUL character"));
        }
        let mut normal = String::new();
        for segment in path.split('/') {
            match segment {
                "" | "." => continue,
                ".." => return Err(BadPath::new(path, "'..' is not allowed")),
                _ if segment.len() > MAX_SEGMENT => {
                    return Err(BadPath::new(path, "a name in it is longer than 255 bytes"));
                }
                _ => {}
            }
            if !normal.is_empty() {
                normal.push('/');
            }
            normal.push_str(segment);
        }
        if normal.len() > MAX_LEN {
            return Err(BadPath::new(path, "it is longer than 4,095 bytes"));
        }
        Ok(Self(normal))
    }

    /// A path put together from names that were checked before.
    pub(crate) fn trusted(path: String) -> Self {
        Self(path)
    }

    /// `path` beneath this one.
    ///
    /// # Errors
    /// As [`RelativePath::parse`]; a `..` cannot climb back into this path either.
    pub fn join(&self, path: &str) -> Result<Self, BadPath> {
        let below = Self::parse(path)?;
        match (self.0.is_empty(), below.0.is_empty()) {
            (true, _) => Ok(below),
            (_, true) => Ok(self.clone()),
            _ => Self::parse(&format!("{}/{}", self.0, below.0)),
        }
    }

    /// The path as text; empty for the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments in order; none for the root.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// The path as the kernel wants it: `.` for the root.
    pub(crate) fn for_open(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }
}

impl TryFrom<String> for RelativePath {
    type Error = BadPath;

    fn try_from(path: String) -> Result<Self, BadPath> {
        Self::parse(&path)
    }
}

impl From<RelativePath> for String {
    fn from(path: RelativePath) -> Self {
        path.0
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.for_open())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn normalises() {
        for (given, want) in [
            ("", ""),
            (".", ""),
            ("./a", "a"),
            ("a/./b//c/", "a/b/c"),
            ("...", "..."),
            ("a\\..", "a\\.."),
        ] {
            assert_eq!(RelativePath::parse(given).unwrap().as_str(), want, "{given:?}");
        }
    }

    #[test]
    fn refuses_ways_out() {
        let long = "x".repeat(256);
        let deep = "xy/".repeat(1400);
        for bad in [
            "/", "/etc", "..", "../a", "a/..", "a/../b", "./..", "a\0b", "//", &long, &deep,
        ] {
            assert!(RelativePath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn joins() {
        let base = RelativePath::parse("a/b").unwrap();
        assert_eq!(base.join("./c/").unwrap().as_str(), "a/b/c");
        assert_eq!(base.join(".").unwrap(), base);
        assert_eq!(RelativePath::root().join("c").unwrap().as_str(), "c");
        assert!(base.join("../b").is_err());
        assert!(base.join("/c").is_err());
        assert!(
            RelativePath::parse(&"xy/".repeat(1000))
                .unwrap()
                .join(&"xy/".repeat(1000))
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn what_is_taken_stays_below_and_is_stable(text in r"([a.\x00é%]|/|\.\.|\./){0,12}") {
            if let Ok(path) = RelativePath::parse(&text) {
                prop_assert!(path.segments().all(|s| s != ".." && s != "." && !s.contains('\0')));
                prop_assert!(!path.as_str().starts_with('/') && !path.as_str().ends_with('/'));
                prop_assert_eq!(RelativePath::parse(path.as_str()).unwrap(), path);
            }
        }
    }
}
