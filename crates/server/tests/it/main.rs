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
mod file_server_exports;
mod file_server_mounts;
mod file_servers;
mod files;
mod flat;
mod flat_examples;
mod gpus;
mod house;
mod imports;
mod jobs;
mod keys;
mod login;
mod mangled;
mod members;
mod names;
mod openapi;
mod operations;
mod paging;
mod panics;
mod preemption;
mod resizing;
mod resources;
mod scaling;
mod schema;
mod secrets;
mod sign_in;
mod vaults;
mod versions;
