//! Workspaces.

use jiff::Timestamp;
use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{Name, Region, SubscriptionId};
use trainyard_domain::state::{Group, Meta, Provisioning, Tags, Workspace};

use super::rows::{META, META_COLUMNS, group_path, meta, region, tags, tags_text};
use super::tree::{Page, Table};
use super::{Snapshot, StoreError, Tx};

fn select(rest: &str) -> String {
    format!(
        "SELECT {META}, r.region, r.tags, g.subscription, g.name \
         FROM workspaces r JOIN resource_groups g ON g.uid = r.group_uid {rest}"
    )
}

fn workspace(row: &Row<'_>) -> Result<Workspace, StoreError> {
    let text = |i: usize| row.get::<_, String>(META_COLUMNS + i);
    Ok(Workspace {
        meta: meta(row)?,
        region: region(&text(0)?)?,
        tags: tags(&text(1)?)?,
        scope: group_path(&text(2)?, &text(3)?)?,
    })
}

impl Snapshot<'_> {
    /// A workspace by name.
    pub fn workspace(&self, group: Uid, name: &Name) -> Result<Option<Workspace>, StoreError> {
        let sql = select("WHERE r.group_uid = ?1 AND r.name_key = ?2");
        self.row(&sql, params![group.0, name.key()], workspace)
    }

    /// A workspace by uid.
    pub fn workspace_by_uid(&self, uid: Uid) -> Result<Option<Workspace>, StoreError> {
        self.row(&select("WHERE r.uid = ?1"), params![uid.0], workspace)
    }

    /// The workspaces of a group.
    pub fn workspaces_in_group(&self, group: Uid, page: Page) -> Result<Vec<Workspace>, StoreError> {
        let sql = select("WHERE r.group_uid = ?1 AND r.uid > ?2 ORDER BY r.uid LIMIT ?3");
        self.rows(&sql, params![group.0, page.after(), page.limit], workspace)
    }

    /// The workspaces of a subscription, those being deleted among them.
    pub fn workspaces(
        &self,
        subscription: &SubscriptionId,
        page: Page,
    ) -> Result<Vec<Workspace>, StoreError> {
        let sql = select("WHERE g.subscription_key = ?1 AND r.uid > ?2 ORDER BY r.uid LIMIT ?3");
        self.rows(
            &sql,
            params![subscription.key(), page.after(), page.limit],
            workspace,
        )
    }

    /// The migrated workspaces, `migrated-<region>`, of a subscription or of one of its groups: where the resources of
    /// the flat api-versions are. There are at most as many as regions in a group.
    pub fn migrated_workspaces(
        &self,
        subscription: &SubscriptionId,
        group: Option<Uid>,
    ) -> Result<Vec<Workspace>, StoreError> {
        const MIGRATED: &str = "AND r.name_key = 'migrated-' || r.region ORDER BY r.uid";
        match group {
            Some(group) => self.rows(
                &select(&format!("WHERE r.group_uid = ?1 {MIGRATED}")),
                params![group.0],
                workspace,
            ),
            None => self.rows(
                &select(&format!("WHERE g.subscription_key = ?1 {MIGRATED}")),
                params![subscription.key()],
                workspace,
            ),
        }
    }

    /// Workspaces that are going away.
    pub fn workspaces_to_delete(&self) -> Result<Vec<Workspace>, StoreError> {
        self.rows(
            &select("WHERE r.provisioning = 'deleting' ORDER BY r.uid"),
            [],
            workspace,
        )
    }

    /// Whether anything is left beneath a workspace.
    pub fn workspace_is_empty(&self, uid: Uid) -> Result<bool, StoreError> {
        Ok(!self.workspace_has_users(uid)? && !self.has_beneath(uid, "file_servers")?)
    }

    /// Whether a workspace has clusters or experiments: what can mount its file servers.
    pub fn workspace_has_users(&self, uid: Uid) -> Result<bool, StoreError> {
        Ok(self.has_beneath(uid, "clusters")? || self.has_beneath(uid, "experiments")?)
    }

    fn has_beneath(&self, workspace: Uid, table: &str) -> Result<bool, StoreError> {
        let sql = format!("SELECT 1 FROM {table} WHERE workspace_uid = ?1 LIMIT 1");
        self.exists(&sql, params![workspace.0])
    }
}

impl Tx<'_> {
    /// A new workspace.
    pub fn insert_workspace(
        &self,
        group: &Group,
        name: &Name,
        region: &Region,
        tags: &Tags,
        now: Timestamp,
    ) -> Result<Workspace, StoreError> {
        let meta = self.new_meta(name, now)?;
        self.run(
            "INSERT INTO workspaces VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 0, 'succeeded', ?7)",
            params![
                meta.uid.0,
                group.uid.0,
                name.as_str(),
                name.key(),
                region.as_str(),
                tags_text(tags)?,
                now.as_millisecond()
            ],
        )?;
        Ok(Workspace {
            meta,
            scope: group.path.clone(),
            region: region.clone(),
            tags: tags.clone(),
        })
    }

    /// New tags: the stored wish changes, and the ETag with it.
    pub fn set_workspace_tags(
        &self,
        workspace: &mut Workspace,
        tags: Tags,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        workspace.tags = tags;
        workspace.meta.modified = now;
        workspace.meta.revision += 1;
        self.run(
            "UPDATE workspaces SET tags = ?2, modified = ?3, revision = ?4 WHERE uid = ?1",
            params![
                workspace.meta.uid.0,
                tags_text(&workspace.tags)?,
                now.as_millisecond(),
                workspace.meta.revision
            ],
        )?;
        Ok(())
    }

    /// Begins its deletion.
    pub fn begin_workspace_deletion(&self, uid: Uid, now: Timestamp) -> Result<(), StoreError> {
        self.set_provisioning(Table::Workspaces, uid, Provisioning::Deleting, now)
    }

    /// Ends its deletion. Nothing may be left beneath it.
    pub fn remove_workspace(&self, uid: Uid) -> Result<(), StoreError> {
        self.remove(Table::Workspaces, uid)
    }

    /// What a resource made at `now` begins with.
    pub(super) fn new_meta(&self, name: &Name, now: Timestamp) -> Result<Meta, StoreError> {
        Ok(Meta {
            uid: self.next_uid(now)?,
            name: name.clone(),
            created: now,
            modified: now,
            revision: 0,
            provisioning: Provisioning::Succeeded,
            provisioning_since: now,
        })
    }
}
