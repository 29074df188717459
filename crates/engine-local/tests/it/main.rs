//! The local engine with real nodes and real processes.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod bench;
mod conformance;
mod endings;
mod gpus;
mod isolated;
mod jobs;
mod limits;
mod remote;
mod survival;
mod yard;
