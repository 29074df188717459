//! One adapter per api-version: wire bodies to domain and back.
//!
//! A body is read into a domain spec with all defaults filled in and all rules of the domain kept, or it is
//! a [`BadBody`] that names the offending member. Answers are written in the shape and member order of the
//! recordings (api.md sections 1 and 6): never a `null`, never a secret.

mod body;
pub mod envelope;
pub mod flat;
pub mod imported;
pub mod openapi;
mod out;
pub mod resources;
pub mod time;
pub mod v2017_09_01_preview;
pub mod v2018_03_01;
pub mod v2018_05_01;
pub mod v2026_12_01_preview;
mod version;

pub use body::{BadBody, BadCode};
pub use version::{ApiVersion, Wish};
