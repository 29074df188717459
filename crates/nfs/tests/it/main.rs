//! Exports by a real NFS server, seen by real clients.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as the tests do; clippy spares only the test functions themselves"
)]

mod clients;
mod exports;
