//! The adapter against published examples, recipes, bad bodies and mangled ones.

#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

mod bad_bodies;
mod build;
mod examples;
mod golden;
mod mangled;
mod preview;
mod recipes;
mod reference;
mod samples;
mod versions;
