//! The local engine with real nodes and real processes.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod bench;
mod bridge;
mod conformance;
mod containers;
mod docker;
mod endings;
mod frozen;
mod gpus;
mod growth;
mod hanging;
mod images;
mod isolated;
mod jobs;
mod limits;
mod login;
mod network;
mod remote;
mod run_as;
mod store;
mod survival;
mod volumes;
mod yard;
