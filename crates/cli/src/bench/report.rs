//! The figures.

use std::fmt;

use serde::Serialize;

use super::Load;

/// What the server did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rates {
    /// Durable job PUTs a second.
    pub puts_per_second: f64,
    /// Median time of a PUT.
    pub put_median_ms: f64,
    /// Time that 99 of 100 PUTs do not exceed.
    pub put_99th_ms: f64,
    /// Jobs a second, from the first PUT to the last end.
    pub runs_per_second: f64,
    /// Jobs that did not succeed.
    pub failed: u32,
}

/// What the bare loop did: starts a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bare {
    /// On one thread.
    pub one: f64,
    /// On as many threads as there are nodes.
    pub many: f64,
}

/// All of one measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    jobs: u32,
    connections: u32,
    nodes: u32,
    server: Rates,
    bare_before: Bare,
    bare_after: Bare,
    /// Jobs run a second by bare starts a second with as many threads, mean of before and after.
    ratio: f64,
}

impl Report {
    pub fn new(load: Load, server: Rates, [bare_before, bare_after]: [Bare; 2]) -> Self {
        let ratio = server.runs_per_second / ((bare_before.many + bare_after.many) / 2.0);
        let Load {
            jobs,
            connections,
            nodes,
        } = load;
        Self {
            jobs,
            connections,
            nodes,
            server,
            bare_before,
            bare_after,
            ratio,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            jobs,
            connections,
            nodes,
            server,
            bare_before,
            bare_after,
            ratio,
        } = self;
        writeln!(
            f,
            "{jobs} jobs, {connections} connections, {nodes} nodes; all a second"
        )?;
        writeln!(
            f,
            "job PUTs, durable             {:>9.1}   (median {:.1} ms, 99 of 100 within {:.1} ms)",
            server.puts_per_second, server.put_median_ms, server.put_99th_ms
        )?;
        writeln!(
            f,
            "jobs `true`, PUT to succeeded {:>9.1}   ({} failed)",
            server.runs_per_second, server.failed
        )?;
        writeln!(
            f,
            "bash -c true,  1 thread       {:>9.1}   before, {:.1} after",
            bare_before.one, bare_after.one
        )?;
        writeln!(
            f,
            "bash -c true, {nodes:>2} threads      {:>9.1}   before, {:.1} after",
            bare_before.many, bare_after.many
        )?;
        writeln!(f, "jobs by bare starts, {nodes} threads: {ratio:.3}")
    }
}
