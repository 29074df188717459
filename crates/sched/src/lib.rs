//! The planner: queue order, gangs, auto-scale and reasons: pure.
