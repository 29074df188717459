//! The server itself: its operations, its figures, its end.

use axum::http::StatusCode;
use serde_json::json;
use trainyard_domain::state::NodeStateCounts;
use trainyard_wire::v2018_05_01 as wire;

use crate::App;
use crate::app::Stop;
use crate::arm_error::ApiError;
use crate::http::{Call, Reply};
use crate::metrics::Gauges;
use crate::ops;

/// Operations_List.
pub fn operations() -> Reply {
    let actions = ops::actions();
    let words: Vec<_> = actions.iter().map(|action| ActionWords::of(action)).collect();
    let rows: Vec<_> = words.iter().map(ActionWords::row).collect();
    Reply::ok(wire::operation_list(&rows))
}

/// An action in words.
struct ActionWords {
    action: &'static str,
    resource: String,
    operation: String,
    description: String,
}

impl ActionWords {
    /// `Microsoft.BatchAI/workspaces/clusters/write` is "Create or change" of "Batch AI Clusters".
    fn of(action: &'static str) -> ActionWords {
        let segments: Vec<&str> = action.split('/').collect();
        let (kind, verb) = match segments[..] {
            [.., kind, "action"] if kind == "register" || kind == "unregister" => ("provider", kind),
            [.., kind, verb, "action"] => (kind, verb),
            [.., kind, verb] => (kind, verb),
            _ => (action, "use"),
        };
        let verb = match verb {
            "read" => "Read",
            "write" => "Create or change",
            "delete" => "Delete",
            "terminate" => "Terminate",
            "listoutputfiles" => "List output files of",
            "remoteLoginInformation" => "List remote login information of",
            "register" => "Register",
            "unregister" => "Unregister",
            other => other,
        };
        let mut letters = kind.chars();
        let kind: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(letters)
            .collect();
        ActionWords {
            action,
            operation: format!("{verb} Batch AI {kind}"),
            description: format!("{verb} what belongs to Batch AI {kind}"),
            resource: format!("Batch AI {kind}"),
        }
    }

    fn row(&self) -> wire::OperationRow<'_> {
        wire::OperationRow {
            name: self.action,
            provider: "Microsoft Batch AI",
            resource: &self.resource,
            operation: &self.operation,
            description: &self.description,
        }
    }
}

/// Figures for Prometheus.
pub fn metrics(app: &App) -> Result<Reply, ApiError> {
    let gauges = app.read(|s| {
        let mut nodes = NodeStateCounts::default();
        for node in s.nodes()? {
            node.status.count(&mut nodes);
        }
        Ok(Gauges {
            jobs: s.job_counts()?,
            nodes,
            writer: app.ports.store.stats(),
        })
    })?;
    let text = app
        .metrics
        .text(&gauges)
        .map_err(|error| ApiError::Internal(Box::new(error)))?;
    Ok(Reply::text(text))
}

/// Ends the server, and its nodes where asked.
pub fn stop(app: &App, call: &Call) -> Result<Reply, ApiError> {
    #[derive(serde::Deserialize)]
    struct Wish {
        #[serde(default)]
        nodes: bool,
    }
    let wish: Wish = match call.body.as_slice() {
        [] => Wish { nodes: false },
        body => serde_json::from_slice(body)
            .map_err(|_| ApiError::invalid("nodes", "Send {\"nodes\": true} or nothing."))?,
    };
    app.ask_to_stop(Stop { nodes: wish.nodes });
    Ok(Reply::json(StatusCode::ACCEPTED, json!({ "nodes": wish.nodes })))
}

/// Shows what nobody needs any more, and deletes it where asked.
pub async fn gc(app: &App, call: &Call) -> Result<Reply, ApiError> {
    #[derive(serde::Deserialize)]
    struct Wish {
        #[serde(default)]
        delete: bool,
    }
    let wish: Wish = match call.body.as_slice() {
        [] => Wish { delete: false },
        body => serde_json::from_slice(body)
            .map_err(|_| ApiError::invalid("delete", "Send {\"delete\": true} or nothing."))?,
    };
    let report = match app.gc() {
        Some(hook) => hook(wish.delete).await.map_err(ApiError::Internal)?,
        None => json!({ "freed": wish.delete, "rooms": [] }),
    };
    Ok(Reply::ok(report))
}
