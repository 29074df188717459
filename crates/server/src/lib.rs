//! The service: operation table, handlers, access, long-running operations, reconcilers, metrics.
//!
//! The way of a request: [`dispatch`] folds the path and finds the row of the operation table ([`ops`]) →
//! [`access`] → the handler in [`api`] → the wire adapter → one write → the answer. The way of a job is in
//! [`reconcile`]. No engine is known here by name, and no SQL.

mod access;
mod api;
mod app;
mod arm_error;
mod dispatch;
mod exports;
mod folders;
mod http;
mod login;
mod lro;
mod metrics;
pub mod openapi;
pub mod ops;
mod ports;
mod reconcile;
mod settings;
mod sign_in;

pub use app::{App, GcHook, GcOutcome, StartError, Stop};
pub use exports::{Exported, Exports};
pub use http::Scheme;
pub use login::Logins;
pub use ports::{Clock, Ports, Random};
pub use reconcile::{Pump, PumpError};
pub use settings::{Kept, Quotas, Settings, VmSize};
pub use sign_in::SignInKey;
