//! Finds calls of Batch AI in scripts, notebooks and job files, and says what each becomes at api-version
//! 2018-05-01.
//!
//! Everything here is a pure function of text: nothing is run, no file is touched. A scanner of one language
//! takes its text and what is [known](known::Known) from outside, and gives the [calls](call::Call) it found,
//! each with its verdict. Files that hold other languages (notebooks, Markdown, YAML) cut the pieces out, ask
//! the scanner of each and move what it found to their own places.

mod arguments;
pub mod az;
pub mod call;
mod compose;
mod documents;
pub mod edit;
mod embedded;
pub mod file;
mod flat_id;
pub mod hosts;
pub mod import;
pub mod javascript;
pub mod json;
pub mod known;
pub mod mark;
pub mod notebook;
pub mod python;
pub mod reports;
pub mod shell;
mod syntax;
pub mod verify;
