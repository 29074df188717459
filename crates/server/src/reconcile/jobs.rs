//! A job's transitions, and all that follows from one in the same transaction.

use jiff::Timestamp;
use tracing::info;
use trainyard_domain::ids::PlacementId;
use trainyard_domain::resource_id::job_id;
use trainyard_domain::state::{Job, JobEvent, NodeEvent, Placement, Provisioning};
use trainyard_store::{Event, StoreError, Tx};

/// Who changes a job when nobody asked.
const SERVICE: &str = "trainyard";

/// Applies an event to a job and stores what follows: nodes given back, operations closed, the row removed
/// when it waited for that. An event that does not fit changes nothing. The attempt that gave its nodes back
/// comes back, if one did.
pub fn apply_to_job(
    tx: &Tx<'_>,
    job: &mut Job,
    event: JobEvent,
    now: Timestamp,
    max_losses: u32,
) -> Result<Option<(PlacementId, Placement)>, StoreError> {
    let Ok(next) = job.status.apply(event, now, max_losses) else {
        return Ok(None);
    };
    let id = job.placement_id();
    let before = std::mem::replace(&mut job.status, next);
    let released = if before.holds_nodes() && !job.status.holds_nodes() {
        before.placement.clone().map(|placement| (id, placement))
    } else {
        None
    };
    if let Some((id, placement)) = &released {
        give_back(tx, *id, placement, now)?;
    }
    tx.look_at_cluster(job.cluster)?;
    if before.execution_state() != job.status.execution_state() {
        note(tx, job, now)?;
    }
    if job.meta.provisioning == Provisioning::Deleting && !job.status.holds_nodes() {
        remove(tx, job, now)?;
    } else {
        tx.set_job_status(job)?;
        if job.status.is_final() {
            tx.close_operations_of_ended(job.meta.uid, now)?;
        }
    }
    Ok(released)
}

/// Begins the deletion of a job; one that holds no nodes is gone at once.
pub fn begin_job_deletion(tx: &Tx<'_>, job: &mut Job, now: Timestamp) -> Result<(), StoreError> {
    if !job.status.holds_nodes() {
        tx.look_at_cluster(job.cluster)?;
        return remove(tx, job, now);
    }
    tx.begin_job_deletion(job, now)?;
    apply_to_job(tx, job, JobEvent::Terminate, now, 0)?;
    Ok(())
}

fn remove(tx: &Tx<'_>, job: &Job, now: Timestamp) -> Result<(), StoreError> {
    tx.remove_job(job.meta.uid)?;
    tx.close_operations_of_deleted(job.meta.uid, now)
}

fn give_back(tx: &Tx<'_>, id: PlacementId, placement: &Placement, now: Timestamp) -> Result<(), StoreError> {
    for placed in &placement.nodes {
        let Some(mut node) = tx.node(placed.uid)? else {
            continue;
        };
        if let Ok(status) = node.status.apply(NodeEvent::Released(id), now) {
            node.status = status;
            tx.set_node_status(&node)?;
        }
    }
    Ok(())
}

/// Writes a change of the execution state down as an event.
fn note(tx: &Tx<'_>, job: &Job, now: Timestamp) -> Result<(), StoreError> {
    let state = job.status.execution_state();
    let target = job_id(&job.scope, &job.workspace, &job.experiment, &job.meta.name);
    let errors = job.status.execution.iter().flat_map(|e| &e.errors);
    let error = errors.map(|e| e.code.clone()).next();
    let detail = error.or_else(|| job.status.returned.map(|why| why.to_string()));
    info!(job = %target, attempt = %job.status.attempt, state = state.as_str(), ?detail, "job");
    tx.insert_event(&Event {
        time: now,
        caller: SERVICE.to_owned(),
        action: format!("Trainyard/jobs/{}", state.as_str()),
        target,
        request: None,
        detail,
    })
}
