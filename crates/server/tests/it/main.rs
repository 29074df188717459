//! The HTTP service without processes: real router, real store, real reconcilers, a scripted engine.

mod access;
mod engine;
mod events;
mod examples;
mod files;
mod house;
mod jobs;
mod mangled;
mod names;
mod operations;
mod paging;
mod panics;
mod resources;
mod scaling;
mod secrets;
