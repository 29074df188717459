//! Command lines of `az batchai`: from words to verdicts.
//!
//! Whoever finds calls in a text hands their words over as [sites](words::Site); [decide] looks at all those of
//! a file at once, since they tell about each other, and gives a call for each.

mod facts;
pub mod grammar;
mod mixed;
pub mod parse;
mod remarks;
mod translate;
pub mod words;
mod write;

mod decide;

pub use decide::decide;
