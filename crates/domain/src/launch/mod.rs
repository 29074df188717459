//! Launch plans: what each node has to do for a job, made by pure functions.

mod plan;

pub use plan::*;
