//! The api-version 2026-12-01-preview, our own: everything is as in [`crate::v2018_05_01`] but what
//! stands here.

mod job;

pub use job::{job, job_create};
