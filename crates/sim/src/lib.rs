//! The whole server under simulated time, faults and crashes.
