//! Long-running operations as clients see them (api.md section 2).

use jiff::{SignedDuration, Timestamp};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{Name, Region};
use trainyard_domain::resource_id::GroupPath;
use trainyard_domain::state::BatchAiError;
use trainyard_store::{Goal, Operation, OperationStatus, StoreError, Tx};
use trainyard_wire::envelope::operation_resource;
use uuid::Uuid;

/// How long an operation may take before it has failed.
const DEADLINE: SignedDuration = SignedDuration::from_hours(24);

/// What an operation is about.
pub struct Subject<'a> {
    /// Subscription and group.
    pub scope: &'a GroupPath,
    /// The names from the workspace down to the resource; none for the group itself.
    pub names: &'a [&'a Name],
    /// The region that its URLs name.
    pub region: &'a Region,
    /// The resource.
    pub uid: Uid,
}

/// Opens an operation that waits for `goal` of its subject, or finds the one that is open already.
pub fn open(
    tx: &Tx<'_>,
    id: Uuid,
    goal: Goal,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<Operation, StoreError> {
    if let Some(open) = tx.open_operation(subject.uid, goal)? {
        return Ok(open);
    }
    let operation = Operation {
        id: id.to_string(),
        subscription: subject.scope.subscription.clone(),
        region: subject.region.clone(),
        goal,
        target: subject.uid,
        resource: operation_resource(subject.scope, subject.names),
        status: OperationStatus::InProgress,
        started: now,
        deadline: now + DEADLINE,
    };
    tx.insert_operation(&operation)?;
    Ok(operation)
}

/// Opens an operation that has failed already: the subject is there, but not as it was wished.
pub fn failed(
    tx: &Tx<'_>,
    id: Uuid,
    subject: &Subject<'_>,
    error: &BatchAiError,
    now: Timestamp,
) -> Result<Operation, StoreError> {
    let operation = open(tx, id, Goal::Created, subject, now)?;
    tx.fail_operation(&operation.id, now, error)?;
    Ok(operation)
}
