//! Figures for Prometheus.

use std::fmt::Write as _;

use axum::http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use trainyard_domain::state::{ExecutionState, NodeStateCounts};
use trainyard_store::db::{Histogram, Stats};

/// Figures that are counted as they happen.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
}

/// Figures that are read when somebody asks.
pub struct Gauges {
    /// Jobs by execution state.
    pub jobs: Vec<(ExecutionState, u64)>,
    /// Nodes by state.
    pub nodes: NodeStateCounts,
    /// The writer.
    pub writer: Stats,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Metrics {
        let requests = Family::default();
        let mut registry = Registry::default();
        registry.register(
            "trainyard_requests",
            "Requests by operation and status",
            requests.clone(),
        );
        Metrics { registry, requests }
    }

    /// A request was answered.
    pub fn answered(&self, operation: &'static str, status: StatusCode) {
        self.requests
            .get_or_create(&RequestLabels {
                operation,
                status: status.as_u16(),
            })
            .inc();
    }

    /// Everything as OpenMetrics text.
    pub fn text(&self, gauges: &Gauges) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        let end = text.rfind("# EOF").unwrap_or(text.len());
        text.truncate(end);
        writeln!(
            text,
            "# HELP trainyard_jobs Jobs by state.\n# TYPE trainyard_jobs gauge"
        )?;
        for (state, count) in &gauges.jobs {
            writeln!(text, "trainyard_jobs{{state=\"{}\"}} {count}", state.as_str())?;
        }
        let waiting = gauges
            .jobs
            .iter()
            .find(|(s, _)| *s == ExecutionState::Queued)
            .map_or(0, |(_, n)| *n);
        writeln!(
            text,
            "# HELP trainyard_waiting_line Jobs that wait for nodes.\n# TYPE trainyard_waiting_line gauge"
        )?;
        writeln!(text, "trainyard_waiting_line {waiting}")?;
        writeln!(
            text,
            "# HELP trainyard_nodes Nodes by state.\n# TYPE trainyard_nodes gauge"
        )?;
        let n = gauges.nodes;
        for (state, count) in [
            ("idle", n.idle),
            ("running", n.running),
            ("preparing", n.preparing),
            ("unusable", n.unusable),
            ("leaving", n.leaving),
        ] {
            writeln!(text, "trainyard_nodes{{state=\"{state}\"}} {count}")?;
        }
        histogram(
            &mut text,
            "trainyard_commit_works",
            "Changes per commit",
            &gauges.writer.batch_sizes,
        )?;
        histogram(
            &mut text,
            "trainyard_commit_seconds",
            "Time per commit",
            &gauges.writer.commit_seconds,
        )?;
        text.push_str("# EOF\n");
        Ok(text)
    }
}

fn histogram(text: &mut String, name: &str, help: &str, values: &Histogram) -> std::fmt::Result {
    writeln!(text, "# HELP {name} {help}.\n# TYPE {name} histogram")?;
    let mut sum = 0;
    for (bound, count) in values.bounds.iter().zip(&values.counts) {
        sum += count;
        writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {sum}")?;
    }
    writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {}", values.count())?;
    writeln!(text, "{name}_sum {}\n{name}_count {}", values.sum, values.count())
}
