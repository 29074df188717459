//! The planner: queue order, gangs, auto-scale and reasons: pure.
//!
//! [`scale`] says which nodes a cluster needs more or less of, [`place`] which waiting jobs start on the
//! nodes that are idle. A server calls `scale` first, marks the nodes that leave, then calls `place`.

mod place;
mod reason;
mod scale;
mod victims;
mod view;

pub use place::{Plan, Start, Waiting, place};
pub use reason::Reason;
pub use scale::{Demand, Policy, Room, ScalePlan, Shortage, demand_of, scale};
pub use view::{ClusterView, NodeState, NodeView};

#[cfg(test)]
mod tests;
