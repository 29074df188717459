//! Long-running operations as clients see them (api.md section 2).

use jiff::{SignedDuration, Timestamp};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{Region, SubscriptionId};
use trainyard_store::{Goal, Operation, OperationStatus, StoreError, Tx};
use uuid::Uuid;

/// How long an operation may take before it has failed.
const DEADLINE: SignedDuration = SignedDuration::from_hours(24);
/// How long the outcome of an operation is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Opens an operation that waits for `goal` of `target`, or finds the one that is open already.
pub fn open(
    tx: &Tx<'_>,
    id: Uuid,
    (subscription, region): (&SubscriptionId, &Region),
    goal: Goal,
    target: Uid,
    resource: String,
    now: Timestamp,
) -> Result<Operation, StoreError> {
    if let Some(open) = tx.open_operation(target, goal)? {
        return Ok(open);
    }
    let operation = Operation {
        id: id.to_string(),
        subscription: subscription.clone(),
        region: region.clone(),
        goal,
        target,
        resource,
        status: OperationStatus::InProgress,
        started: now,
        deadline: now + DEADLINE,
    };
    tx.insert_operation(&operation)?;
    Ok(operation)
}
