//! Resource groups.

use jiff::Timestamp;
use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{GroupName, Region, SubscriptionId};
use trainyard_domain::resource_id::GroupPath;
use trainyard_domain::state::{Group, Provisioning, Tags};

use super::rows::{group_path, provisioning, region, tags, tags_text};
use super::tree::{Page, Table};
use super::{Snapshot, StoreError, Tx};

const COLUMNS: &str = "uid, subscription, name, region, tags, provisioning";

fn group(row: &Row<'_>) -> Result<Group, StoreError> {
    Ok(Group {
        uid: Uid(row.get(0)?),
        path: group_path(&row.get::<_, String>(1)?, &row.get::<_, String>(2)?)?,
        region: region(&row.get::<_, String>(3)?)?,
        tags: tags(&row.get::<_, String>(4)?)?,
        provisioning: provisioning(&row.get::<_, String>(5)?)?,
    })
}

impl Snapshot<'_> {
    /// A group by name.
    pub fn group(
        &self,
        subscription: &SubscriptionId,
        name: &GroupName,
    ) -> Result<Option<Group>, StoreError> {
        self.row(
            &format!("SELECT {COLUMNS} FROM resource_groups WHERE subscription_key = ?1 AND name_key = ?2"),
            params![subscription.key(), name.key()],
            group,
        )
    }

    /// A group by uid.
    pub fn group_by_uid(&self, uid: Uid) -> Result<Option<Group>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM resource_groups WHERE uid = ?1");
        self.row(&sql, params![uid.0], group)
    }

    /// The groups of a subscription.
    pub fn groups(&self, subscription: &SubscriptionId, page: Page) -> Result<Vec<Group>, StoreError> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} FROM resource_groups WHERE subscription_key = ?1 AND uid > ?2 \
                 ORDER BY uid LIMIT ?3"
            ),
            params![subscription.key(), page.after(), page.limit],
            group,
        )
    }

    /// Groups that are going away.
    pub fn groups_to_delete(&self) -> Result<Vec<Group>, StoreError> {
        self.rows(
            &format!("SELECT {COLUMNS} FROM resource_groups WHERE provisioning = 'deleting' ORDER BY uid"),
            [],
            group,
        )
    }
}

impl Tx<'_> {
    /// A new group.
    pub fn insert_group(
        &self,
        path: &GroupPath,
        region: &Region,
        tags: &Tags,
        now: Timestamp,
    ) -> Result<Group, StoreError> {
        let uid = self.next_uid(now)?;
        self.run(
            "INSERT INTO resource_groups VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                uid.0,
                path.subscription.as_str(),
                path.subscription.key(),
                path.group.as_str(),
                path.group.key(),
                region.as_str(),
                tags_text(tags)?,
                Provisioning::Succeeded.as_str(),
                now.as_millisecond()
            ],
        )?;
        Ok(Group {
            uid,
            path: path.clone(),
            region: region.clone(),
            tags: tags.clone(),
            provisioning: Provisioning::Succeeded,
        })
    }

    /// New tags.
    pub fn set_group_tags(&self, uid: Uid, tags: &Tags) -> Result<(), StoreError> {
        self.run(
            "UPDATE resource_groups SET tags = ?2 WHERE uid = ?1",
            params![uid.0, tags_text(tags)?],
        )?;
        Ok(())
    }

    /// Begins its deletion.
    pub fn begin_group_deletion(&self, uid: Uid, now: Timestamp) -> Result<(), StoreError> {
        self.set_provisioning(Table::Groups, uid, Provisioning::Deleting, now)
    }

    /// Ends its deletion. Nothing may be left beneath it.
    pub fn remove_group(&self, uid: Uid) -> Result<(), StoreError> {
        self.remove(Table::Groups, uid)
    }
}
