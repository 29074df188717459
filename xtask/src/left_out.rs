//! What could not be tested where we are, and whether that is permitted.

use std::collections::BTreeSet;

/// How every such line begins. Tests append theirs to the file that `TRAINYARD_LEFT_OUT` names.
pub const PREFIX: &str = "left out: ";

/// The one thing that may be missing where nothing else may: the facts beside the repository.
const PERMITTED: &str = "left out: ../shared is not here";

/// The lines, each once, in order.
#[derive(Default)]
pub struct LeftOut(BTreeSet<String>);

impl LeftOut {
    /// Adds a reason, with or without the prefix.
    pub fn add(&mut self, reason: &str) {
        let reason = reason.trim();
        if !reason.is_empty() {
            self.0.insert(format!(
                "{PREFIX}{}",
                reason.strip_prefix(PREFIX).unwrap_or(reason)
            ));
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many of them are failures where nothing may be left out.
    pub fn not_permitted(&self) -> u64 {
        self.lines().filter(|line| !line.starts_with(PERMITTED)).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_once_and_only_the_shared_facts_may_miss() {
        let mut left = LeftOut::default();
        left.add("left out: ../shared is not here (examples)");
        left.add("../shared is not here (examples)\n");
        left.add("python3 is not here");
        left.add("  ");
        assert_eq!(
            left.lines().collect::<Vec<_>>(),
            [
                "left out: ../shared is not here (examples)",
                "left out: python3 is not here"
            ]
        );
        assert_eq!(left.not_permitted(), 1);
    }
}
