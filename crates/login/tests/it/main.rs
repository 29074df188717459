//! The doors of real nodes, and a real `ssh` that comes to them.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as the tests do; clippy spares only the test functions themselves"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests start nodes and clients, and end them"
)]

mod floods;
mod guests;
mod house;
mod sessions;
mod strangers;
