//! Importing what an old deployment can export.
//!
//! ```text
//! text ──read──▶ Export ──plan──▶ Plan: steps for the server, and what is left out and why
//! ```
//!
//! Pure, as the rest of this crate: the files, the old endpoint and the server are the business of the command.

mod answers;
mod batches;
mod form;
mod id;
mod plan;
mod read;
mod report;
mod step;

pub use answers::{Answer, Answers, Count};
pub use batches::{Batch, batches};
pub use id::OldId;
pub use plan::{Plan, Scale, Wishes, plan};
pub use read::{Export, Kind, LeftOut, ReadError, Resource, read, read_value};
pub use report::{Report, plan_text};
pub use step::Step;

#[cfg(test)]
mod tests;
