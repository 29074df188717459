//! Names as users give them: checked when made, compared without case, printed as first given.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;
use crate::limits;

/// Name of a workspace, cluster, file server, experiment or job: 1 to 64 ASCII letters, digits, `-`, `_`
/// and `.`. The dot is legal in the domain since the older api-versions allow it (api.md section 1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

/// Name of a resource group: 1 to 90 ASCII letters, digits, `-`, `_`, `.` and brackets, not ending in a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupName(String);

/// A region: a label, nothing more. Spaces and case are folded (`East US` is `eastus`), no dot, at most
/// 55 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Region(String);

/// Id of a subscription: 1 to 64 letters, digits and `-`; compared without case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriptionId(String);

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

impl Name {
    /// Checks and takes a name; `target` says which member or path segment it is.
    pub fn new(text: &str, target: &str) -> Result<Name, Invalid> {
        let dots_only = text.chars().all(|c| c == '.');
        if text.is_empty()
            || text.len() > limits::NAME_LENGTH
            || dots_only
            || !text.chars().all(|c| word(c) || c == '.')
        {
            return Err(Invalid::new(
                target,
                format!(
                    "The name '{}' is not valid. Use 1 to {} letters, digits, '-' and '_'.",
                    excerpt(text),
                    limits::NAME_LENGTH
                ),
            ));
        }
        Ok(Name(text.to_owned()))
    }
}

impl Name {
    /// A name of ours that is legal by its making.
    pub(crate) fn fixed(text: String) -> Name {
        Name(text)
    }
}

impl GroupName {
    /// Checks and takes the name of a resource group.
    pub fn new(text: &str) -> Result<GroupName, Invalid> {
        let legal = |c: char| word(c) || matches!(c, '.' | '(' | ')');
        if text.is_empty()
            || text.len() > limits::GROUP_NAME_LENGTH
            || text.ends_with('.')
            || !text.chars().all(legal)
        {
            return Err(Invalid::new(
                "resourceGroupName",
                format!(
                    "The resource group name '{}' is not valid. Use 1 to {} letters, digits, '-', '_' and '.', \
                     not ending in a dot.",
                    excerpt(text),
                    limits::GROUP_NAME_LENGTH
                ),
            ));
        }
        Ok(GroupName(text.to_owned()))
    }
}

impl Region {
    /// Folds and checks a region; `target` says which member or path segment it is.
    pub fn new(text: &str, target: &str) -> Result<Region, Invalid> {
        let folded: String = text
            .chars()
            .filter(|c| *c != ' ')
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if folded.is_empty() || folded.len() > limits::REGION_LENGTH || !folded.chars().all(word) {
            return Err(Invalid::new(
                target,
                format!(
                    "The location '{}' is not valid. Use 1 to {} letters, digits, '-' and '_', such as eastus.",
                    excerpt(text),
                    limits::REGION_LENGTH
                ),
            ));
        }
        Ok(Region(folded))
    }
}

impl SubscriptionId {
    /// Checks and takes a subscription id.
    pub fn new(text: &str) -> Result<SubscriptionId, Invalid> {
        if text.is_empty() || text.len() > 64 || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        {
            return Err(Invalid::new(
                "subscriptionId",
                format!(
                    "The subscription id '{}' is not valid. Use a GUID.",
                    excerpt(text)
                ),
            ));
        }
        Ok(SubscriptionId(text.to_owned()))
    }
}

/// At most the first 100 characters of what somebody sent, for messages.
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(100) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

macro_rules! text_like {
    ($($kind:ident),*) => {$(
        impl $kind {
            /// As first given.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Lower-cased: what comparisons and indexes use.
            pub fn key(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_like!(Name, GroupName, Region, SubscriptionId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ascii_words_with_dots() {
        for good in ["a", "A-b_c.9", &"x".repeat(64)] {
            assert!(Name::new(good, "jobName").is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert_eq!(Name::new(bad, "jobName").unwrap_err().target, "jobName", "{bad}");
        }
    }

    #[test]
    fn regions_fold() {
        assert_eq!(Region::new("East US", "location").unwrap().as_str(), "eastus");
        assert!(Region::new("a.b", "location").is_err());
        assert!(Region::new(&"x".repeat(56), "location").is_err());
    }

    #[test]
    fn group_names_end_without_a_dot() {
        assert!(GroupName::new("batch.ai-1").is_ok());
        assert!(GroupName::new("batch.").is_err());
    }
}
