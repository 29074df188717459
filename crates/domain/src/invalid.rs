//! What is wrong with a request, and where.

use std::fmt;

/// A member of a request that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the member in Batch AI's own terms, such as `scaleSettings.manual.targetNodeCount`.
    pub target: String,
    /// What was found and what to write instead, as one or two short sentences.
    pub message: String,
}

impl Invalid {
    /// An `Invalid` about the member at `target`.
    pub fn new(target: impl Into<String>, message: impl Into<String>) -> Invalid {
        Invalid {
            target: target.into(),
            message: message.into(),
        }
    }

    /// The same, seen from the member's parent: `within("properties")` puts `properties.` in front.
    #[must_use]
    pub fn within(self, parent: &str) -> Invalid {
        let target = match self.target.chars().next() {
            None => parent.to_owned(),
            Some('[') => format!("{parent}{}", self.target),
            Some(_) => format!("{parent}.{}", self.target),
        };
        Invalid { target, ..self }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, self.message)
    }
}

impl std::error::Error for Invalid {}
