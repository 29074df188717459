//! Whole files before and after: each in `tests/fixtures/LANGUAGE`, beside it `NAME.expected.EXT` (left out where
//! nothing changes) and `NAME.calls`, a line for every call site.

mod counts;
mod fixtures;
