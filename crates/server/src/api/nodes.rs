//! Nodes: an operation of our own, to rehearse what the vendor's low-priority machines do by themselves.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;
use trainyard_domain::name::excerpt;
use trainyard_domain::resource_id::{cluster_id, job_id, workspace_id};
use trainyard_domain::spec::VmPriority;
use trainyard_domain::state::{Cluster, Node};
use trainyard_store::Tx;

use crate::App;
use crate::arm_error::{ApiError, Kind};
use crate::http::{Call, Reply};
use crate::ops::Access;
use crate::reconcile;

/// Nodes_Preempt: takes a low-priority node away. Answered when the node is marked; the warning, the grace and the
/// kill follow. Again for a node that leaves already: nothing more happens.
pub async fn preempt(app: &Arc<App>, call: Call) -> Result<Reply, ApiError> {
    let name = call.parameters.get("nodeId").to_owned();
    let now = app.now();
    let answer = app.write(move |tx| {
        let missing = || ApiError::not_found(Kind::Node, excerpt(&name));
        let mut node = tx.node_by_name(&name)?.ok_or_else(missing)?;
        let cluster = tx.cluster_by_uid(node.cluster)?.ok_or_else(missing)?;
        check(&call, &cluster, &node)?;
        let id = cluster_id(&cluster.scope, &cluster.workspace, &cluster.meta.name);
        if reconcile::preempt(tx, &mut node, now)? {
            tx.insert_event(&call.event(now, &id, Some(node.name.clone())))?;
        }
        let mut shown = json!({"nodeId": node.name, "cluster": {"id": id}});
        if let Some(job) = job_of(tx, &node)? {
            shown["job"] = json!({"id": job});
        }
        Ok(shown)
    });
    Ok(Reply::json(StatusCode::OK, answer.await?))
}

/// The caller may change the cluster, and its nodes can be pre-empted.
fn check(call: &Call, cluster: &Cluster, node: &Node) -> Result<(), ApiError> {
    let scope = workspace_id(&cluster.scope, &cluster.workspace).to_ascii_lowercase();
    call.caller.check(Access::Write, &scope, call.operation.action)?;
    match cluster.spec.vm_priority {
        VmPriority::LowPriority => Ok(()),
        VmPriority::Dedicated => Err(ApiError::Dedicated {
            node: node.name.clone(),
            cluster: cluster.meta.name.to_string(),
        }),
    }
}

/// The id of the job that holds a node.
fn job_of(tx: &Tx<'_>, node: &Node) -> Result<Option<String>, ApiError> {
    let job = reconcile::job_on(tx, node)?;
    Ok(job.map(|job| job_id(&job.scope, &job.workspace, &job.experiment, &job.meta.name)))
}
