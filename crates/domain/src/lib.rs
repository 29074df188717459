//! Ids, names, resources, state machines, limits and launch plans: pure.
