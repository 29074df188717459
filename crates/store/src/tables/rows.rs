//! Columns to domain values and back.

use jiff::Timestamp;
use rusqlite::Row;
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{GroupName, Name, Region, SubscriptionId};
use trainyard_domain::resource_id::GroupPath;
use trainyard_domain::state::{Meta, Provisioning, Tags};

use super::StoreError;

/// The columns that [`meta`] reads, of the table under the alias `r`.
pub(super) const META: &str =
    "r.uid, r.name, r.created, r.modified, r.revision, r.provisioning, r.provisioning_since";
/// How many columns [`META`] has.
pub(super) const META_COLUMNS: usize = 7;

pub(super) fn meta(row: &Row<'_>) -> Result<Meta, StoreError> {
    Ok(Meta {
        uid: Uid(row.get(0)?),
        name: name(&row.get::<_, String>(1)?)?,
        created: time(row.get(2)?)?,
        modified: time(row.get(3)?)?,
        revision: row.get(4)?,
        provisioning: provisioning(&row.get::<_, String>(5)?)?,
        provisioning_since: time(row.get(6)?)?,
    })
}

pub(super) fn name(text: &str) -> Result<Name, StoreError> {
    Name::new(text, "name").map_err(|_| StoreError::Damaged { what: "a name" })
}

pub(super) fn region(text: &str) -> Result<Region, StoreError> {
    Region::new(text, "location").map_err(|_| StoreError::Damaged { what: "a region" })
}

pub(super) fn group_path(subscription: &str, group: &str) -> Result<GroupPath, StoreError> {
    let damaged = |_| StoreError::Damaged {
        what: "a resource group",
    };
    Ok(GroupPath {
        subscription: SubscriptionId::new(subscription).map_err(damaged)?,
        group: GroupName::new(group).map_err(damaged)?,
    })
}

pub(super) fn time(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|_| StoreError::Damaged { what: "a time" })
}

pub(super) fn provisioning(text: &str) -> Result<Provisioning, StoreError> {
    match text {
        "succeeded" => Ok(Provisioning::Succeeded),
        "deleting" => Ok(Provisioning::Deleting),
        "failed" => Ok(Provisioning::Failed),
        _ => Err(StoreError::Damaged {
            what: "a provisioning state",
        }),
    }
}

pub(super) fn tags(text: &str) -> Result<Tags, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Damaged { what: "tags" })
}

pub(super) fn tags_text(tags: &Tags) -> Result<String, StoreError> {
    serde_json::to_string(tags).map_err(|_| StoreError::Damaged { what: "tags" })
}
