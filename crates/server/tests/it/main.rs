//! The HTTP service without processes: real router, real store, real reconcilers, a scripted engine.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as the tests do; clippy spares only the test functions themselves"
)]

mod access;
mod answer;
mod engine;
mod events;
mod examples;
mod file_server_mounts;
mod file_servers;
mod files;
mod house;
mod jobs;
mod mangled;
mod names;
mod operations;
mod paging;
mod panics;
mod resources;
mod scaling;
mod secrets;
