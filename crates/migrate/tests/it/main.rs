//! Checks over whole files and over real command lines. Whole files before and after stand in
//! `tests/fixtures/LANGUAGE`, beside each `NAME.expected.EXT` (left out where nothing changes) and `NAME.calls`, a line
//! for every call site.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod corpus;
mod counts;
mod files;
mod fixtures;
mod lines;
mod property;
mod recipes;
