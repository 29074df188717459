//! Launch plans: what each node has to do for a job, made by pure functions.
//!
//! [`job_plans`] and [`node_plan`] are the two doors. What a plan may not use yet is refused by name
//! ([`job_unavailable`], [`cluster_unavailable`]); where files lie in storage is told by [`locate`].

mod custom;
mod expand;
mod job;
mod mounts;
mod node;
mod path;
mod place;
mod plan;
mod pytorch;
mod quote;
mod site;
mod unavailable;

pub use expand::expand;
pub use job::{JobLaunch, job_plans};
pub use node::{NodeLaunch, node_plan};
pub use path::FIXED_MOUNT_ROOT;
pub use place::{STDOUTERR, locate, outputs};
pub use plan::*;
pub use quote::shell_quote;
pub use unavailable::{cluster_unavailable, job_unavailable};

#[cfg(test)]
mod tests;
