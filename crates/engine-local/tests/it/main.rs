//! The local engine with real nodes and real processes.

mod bench;
mod conformance;
mod endings;
mod jobs;
mod survival;
mod yard;
