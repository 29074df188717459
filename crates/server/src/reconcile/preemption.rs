//! A node that is taken away although its cluster wants it (behaviour.md section 2, `vmPriority`).

use jiff::Timestamp;
use trainyard_domain::state::{Job, JobEvent, Node, NodeEvent};
use trainyard_store::{StoreError, Tx};

use super::jobs::apply_to_job;

/// Pre-empts a node. It leaves: at once when no job is on it, else after the job's processes had their warning,
/// SIGTERM, and their grace. The job is stopped on all its nodes and goes back to its place in the line, whatever
/// the scale settings say. A node that is about to leave anyway no longer waits for its job. Whether anything
/// changed.
pub fn preempt(tx: &Tx<'_>, node: &mut Node, now: Timestamp) -> Result<bool, StoreError> {
    let mut changed = false;
    if let Ok(status) = node.status.apply(NodeEvent::Leave, now) {
        node.status = status;
        tx.set_node_status(node)?;
        tx.look_at_cluster(node.cluster)?;
        changed = true;
    }
    if let Some(mut job) = job_on(tx, node)? {
        let before = job.status.phase.clone();
        apply_to_job(tx, &mut job, JobEvent::Preempt, now, 0)?;
        changed |= job.status.phase != before;
    }
    Ok(changed)
}

/// The job that holds a node.
pub fn job_on(tx: &Tx<'_>, node: &Node) -> Result<Option<Job>, StoreError> {
    match node.status.placement {
        Some(id) => tx.job_by_uid(id.job),
        None => Ok(None),
    }
}
