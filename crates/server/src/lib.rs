//! The service: operation table, handlers, access, long-running operations, reconcilers, metrics.
