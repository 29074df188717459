//! What the server says of the steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::read::{Kind, LeftOut};

/// What the server says of one item.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum Answer {
    /// Made, or to be made.
    Made {
        /// What cannot be brought.
        #[serde(default)]
        notes: Vec<String>,
    },
    /// The same import made it before.
    Already,
    /// It is there, the same, and was not made by this import.
    Found,
    /// Left out.
    LeftOut {
        /// Why.
        reason: String,
    },
}

/// The answers so far, and what they add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Counts by kind.
    pub counts: BTreeMap<Kind, Count>,
    /// Steps that the server left out.
    pub left_out: Vec<LeftOut>,
    /// What the person should know of a step: its place, and what.
    pub notes: Vec<(String, String)>,
}

/// What became of the steps of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Count {
    /// Made, or to be made.
    pub made: usize,
    /// Made before by the same import.
    pub already: usize,
    /// There, and the same.
    pub found: usize,
    /// Left out.
    pub left_out: usize,
}

impl Answers {
    /// Takes in what the server says of the step at `place`.
    pub fn take(&mut self, plan: &Plan, place: usize, answer: Answer) {
        let Some(step) = plan.steps.get(place) else {
            return;
        };
        let count = self.counts.entry(step.kind).or_default();
        match answer {
            Answer::Made { notes } => {
                count.made += 1;
                let own = step.notes.iter().cloned();
                self.notes
                    .extend(own.chain(notes).map(|note| (step.new.clone(), note)));
            }
            Answer::Already => count.already += 1,
            Answer::Found => count.found += 1,
            Answer::LeftOut { reason } => {
                count.left_out += 1;
                self.left_out.push(LeftOut {
                    what: step.old.clone(),
                    reason,
                });
            }
        }
    }
}
