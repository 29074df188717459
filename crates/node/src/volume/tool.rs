//! What a program is told that mounts something and ends.

use std::time::Duration;

/// How something is mounted by a program that ends when it is done.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Program and arguments, without secrets.
    pub arguments: Vec<String>,
    /// What the program reads from a file of its own: secrets.
    pub key: Option<String>,
    /// Types that may be mounted then; none says that any may.
    pub kinds: &'static [&'static str],
    /// Longest time it may take.
    pub within: Duration,
}

/// Without what is secret.
impl std::fmt::Debug for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recipe")
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}
