//! Ids, names, resources, state machines, limits and launch plans.
//!
//! Everything here is pure: no I/O, no clock, no randomness. Time and ids come in as arguments. Serde
//! is used for one thing only, the stored form, which is versioned (see [`stored`]).

pub mod ids;
pub mod invalid;
pub mod launch;
pub mod limits;
pub mod migrated;
pub mod name;
pub mod resource_id;
pub mod secret;
pub mod spec;
pub mod state;
pub mod stored;
