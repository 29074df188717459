//! What is known from outside the scanned text.

use crate::az::grammar::Dialect;

/// What the person told, or what the surroundings of a text say. Nothing here is guessed: what is absent
/// becomes a mark in the rewritten text which nobody can overlook, or a question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Region of calls that name none: `eastus` gives the workspace `migrated-eastus`.
    pub location: Option<String>,
    /// Subscription for ids that have to be written out.
    pub subscription: Option<String>,
    /// Resource group of calls that name none.
    pub resource_group: Option<String>,
    /// The version of `az batchai` a script was written for, where its own calls do not tell 0.1 from 0.2.
    pub dialect: Option<Dialect>,
    /// Whether the commands that make workspace and experiment are put before the first translated `create`.
    pub add_creates: bool,
}

/// Stands for a region that is not known.
pub const REGION_MARK: &str = "REGION";
/// Stands for a subscription that is not known.
pub const SUBSCRIPTION_MARK: &str = "SUBSCRIPTION";
/// The experiment where jobs of the older versions live (behaviour.md section 14).
pub const EXPERIMENT: &str = "migrated";

impl Known {
    /// The workspace of resources made in `location`, or in the known one: `migrated-eastus`,
    /// `migrated-REGION` where none is known.
    pub fn workspace(&self, location: Option<&str>) -> String {
        let location = location.or(self.location.as_deref()).unwrap_or(REGION_MARK);
        format!("migrated-{location}")
    }
}
