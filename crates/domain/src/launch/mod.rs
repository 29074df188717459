//! Launch plans: what each node has to do for a job, made by pure functions.
//!
//! [`job_plans`] and [`node_plan`] are the two doors. What a plan may not use yet is refused by name
//! ([`job_unavailable`], [`cluster_unavailable`]), a secret that still is in a key vault too ([`vault_unavailable`]); where files lie in storage is told by [`locate`].

mod asked;
mod attempt;
mod behind;
mod caffe2;
mod caps;
mod container;
mod environment;
mod expand;
mod job;
mod mounts;
mod mpi;
mod node;
mod path;
mod place;
mod plan;
mod pytorch;
mod quote;
mod script;
mod site;
mod spread;
mod tensorflow;
mod unavailable;
mod work;

pub use asked::{
    Asked, CONTAINER_FAILED, FILE_SERVER_FAILED, FILE_SHARE_FAILED, MOUNT_FAILED, UNMANAGED_FAILED,
    exit_code_of,
};
pub use attempt::JobLaunch;
pub use behind::{Behind, CifsShare, MOUNT_MODE, NfsExport, RcloneRemote};
pub use caps::Caps;
pub use container::{Container, FAILED_STARTING_CONTAINER, Login};
pub use expand::expand;
pub use job::job_plans;
pub use mounts::key_of;
pub(crate) use mounts::visit_keys;
pub use node::{NodeLaunch, node_plan};
pub use path::FIXED_MOUNT_ROOT;
pub use place::{STDOUTERR, locate, outputs};
pub use plan::*;
pub use quote::shell_quote;
pub use unavailable::{cluster_unavailable, job_unavailable, vault_unavailable};
pub use work::{node_decides, ports_of};

#[cfg(test)]
mod tests;
