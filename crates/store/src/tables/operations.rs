//! Long-running operations: opened with the change they follow, closed with the change that ends it.

use jiff::Timestamp;
use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{Region, SubscriptionId};
use trainyard_domain::state::BatchAiError;
use trainyard_domain::stored;

use super::rows::{region, time};
use super::{Snapshot, StoreError, Tx};

/// A long-running operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id, a GUID.
    pub id: String,
    /// Its subscription.
    pub subscription: SubscriptionId,
    /// Its region.
    pub region: Region,
    /// What it waits for.
    pub goal: Goal,
    /// The resource it is about.
    pub target: Uid,
    /// That resource in the operation's own notation: names joined by `$` (api.md section 2).
    pub resource: String,
    /// How far it is.
    pub status: OperationStatus,
    /// When it began.
    pub started: Timestamp,
    /// When it has failed at the latest.
    pub deadline: Timestamp,
}

/// What an operation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The resource stands.
    Created,
    /// The resource is gone.
    Deleted,
    /// The job is over.
    Ended,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationStatus {
    /// Not at its end.
    InProgress,
    /// It reached its goal.
    Succeeded {
        /// When.
        ended: Timestamp,
    },
    /// It did not.
    Failed {
        /// When it was given up.
        ended: Timestamp,
        /// Why.
        error: BatchAiError,
    },
}

impl Goal {
    fn as_str(self) -> &'static str {
        match self {
            Goal::Created => "created",
            Goal::Deleted => "deleted",
            Goal::Ended => "ended",
        }
    }
}

const COLUMNS: &str =
    "id, subscription, region, goal, target, resource, status, started, ended, deadline, error";

fn operation(row: &Row<'_>) -> Result<Operation, StoreError> {
    let damaged = || StoreError::Damaged { what: "an operation" };
    let ended = row.get::<_, Option<i64>>(8)?.map(time).transpose()?;
    let error = row.get::<_, Option<String>>(10)?;
    Ok(Operation {
        id: row.get(0)?,
        subscription: SubscriptionId::new(&row.get::<_, String>(1)?).map_err(|_| damaged())?,
        region: region(&row.get::<_, String>(2)?)?,
        goal: match row.get::<_, String>(3)?.as_str() {
            "created" => Goal::Created,
            "deleted" => Goal::Deleted,
            "ended" => Goal::Ended,
            _ => return Err(damaged()),
        },
        target: Uid(row.get(4)?),
        resource: row.get(5)?,
        status: match (row.get::<_, String>(6)?.as_str(), ended, error) {
            ("InProgress", None, None) => OperationStatus::InProgress,
            ("Succeeded", Some(ended), None) => OperationStatus::Succeeded { ended },
            ("Failed", Some(ended), Some(error)) => OperationStatus::Failed {
                ended,
                error: stored::read(&error)?,
            },
            _ => return Err(damaged()),
        },
        started: time(row.get(7)?)?,
        deadline: time(row.get(9)?)?,
    })
}

impl Snapshot<'_> {
    /// An operation by id.
    pub fn operation(&self, id: &str) -> Result<Option<Operation>, StoreError> {
        self.row(
            &format!("SELECT {COLUMNS} FROM operations WHERE id = ?1"),
            [id],
            operation,
        )
    }

    /// The open operation with this goal on a resource, if there is one.
    pub fn open_operation(&self, target: Uid, goal: Goal) -> Result<Option<Operation>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM operations WHERE status = 'InProgress' AND target = ?1 AND goal = ?2"
        );
        self.row(&sql, params![target.0, goal.as_str()], operation)
    }
}

impl Tx<'_> {
    /// Opens an operation; its status must be `InProgress`.
    pub fn insert_operation(&self, new: &Operation) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO operations VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'InProgress', ?7, NULL, ?8, NULL)",
            params![
                new.id,
                new.subscription.as_str(),
                new.region.as_str(),
                new.goal.as_str(),
                new.target.0,
                new.resource,
                new.started.as_millisecond(),
                new.deadline.as_millisecond()
            ],
        )?;
        Ok(())
    }

    /// The resource is gone: what waited for that, or for its end, has succeeded.
    pub fn close_operations_of_deleted(&self, target: Uid, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "UPDATE operations SET status = 'Succeeded', ended = ?2 WHERE status = 'InProgress' AND target = ?1",
            params![target.0, now.as_millisecond()],
        )?;
        Ok(())
    }

    /// The job is over: what waited for that has succeeded.
    pub fn close_operations_of_ended(&self, target: Uid, now: Timestamp) -> Result<(), StoreError> {
        self.run(
            "UPDATE operations SET status = 'Succeeded', ended = ?2 \
             WHERE status = 'InProgress' AND target = ?1 AND goal = 'ended'",
            params![target.0, now.as_millisecond()],
        )?;
        Ok(())
    }

    /// An open operation has failed.
    pub fn fail_operation(&self, id: &str, now: Timestamp, error: &BatchAiError) -> Result<(), StoreError> {
        self.run(
            "UPDATE operations SET status = 'Failed', ended = ?2, error = ?3 \
             WHERE id = ?1 AND status = 'InProgress'",
            params![id, now.as_millisecond(), stored::write(error)?],
        )?;
        Ok(())
    }

    /// Fails what is past its deadline, and forgets what ended before `forget_before`.
    pub fn sweep_operations(
        &self,
        now: Timestamp,
        forget_before: Timestamp,
        error: &BatchAiError,
    ) -> Result<(), StoreError> {
        self.run(
            "UPDATE operations SET status = 'Failed', ended = ?1, error = ?2 \
             WHERE status = 'InProgress' AND deadline <= ?1",
            params![now.as_millisecond(), stored::write(error)?],
        )?;
        self.run(
            "DELETE FROM operations WHERE id IN \
             (SELECT id FROM operations WHERE ended < ?1 ORDER BY ended LIMIT 1000)",
            params![forget_before.as_millisecond()],
        )?;
        Ok(())
    }
}
