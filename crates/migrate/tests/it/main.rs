//! Whole files before and after: each in `tests/fixtures/LANGUAGE`, beside it `NAME.expected.EXT` (left out where
//! nothing changes) and `NAME.calls`, a line for every call site.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod counts;
mod fixtures;
mod recipes;
