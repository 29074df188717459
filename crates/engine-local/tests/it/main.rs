//! The local engine with real nodes and real processes.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod bench;
mod bridge;
mod conformance;
mod containers;
mod endings;
mod gpus;
mod growth;
mod images;
mod isolated;
mod jobs;
mod limits;
mod login;
mod remote;
mod run_as;
mod store;
mod survival;
mod volumes;
mod yard;
