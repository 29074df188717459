//! Both forms of a call, each on a service of its own, and what differs afterwards.

mod call;
#[cfg(test)]
mod corpus;
mod program;
#[cfg(test)]
mod tests;
mod world;

pub use call::{Asked, Verifier};

/// Number of the line with this byte, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// What came of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Both forms did the same; what else there is to know.
    Same(Vec<String>),
    /// The first thing in which they differ.
    Differs(String),
    /// A call of the new version: the service takes it.
    Accepted(Vec<String>),
    /// A call of the new version: the service, or az, does not take it.
    Refused(String),
    /// Why it was not replayed.
    NotReplayed(String),
}

impl Finding {
    /// Whether something is wrong.
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Differs(_) | Self::Refused(_))
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Same(_) => "same",
            Self::Differs(_) => "differs",
            Self::Accepted(_) => "accepted",
            Self::Refused(_) => "refused",
            Self::NotReplayed(_) => "not replayed",
        }
    }

    /// Why, where there is a reason to give.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Differs(why) | Self::Refused(why) | Self::NotReplayed(why) => Some(why),
            Self::Same(_) | Self::Accepted(_) => None,
        }
    }

    /// What else there is to know.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Same(notes) | Self::Accepted(notes) => notes,
            Self::Differs(_) | Self::Refused(_) | Self::NotReplayed(_) => &[],
        }
    }
}
