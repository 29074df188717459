//! Clusters.

use jiff::Timestamp;
use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::{Name, Region, SubscriptionId};
use trainyard_domain::spec::ClusterSpec;
use trainyard_domain::state::{Cluster, ClusterStatus, NodeStateCounts, Provisioning, Workspace};
use trainyard_domain::stored;

use super::rows::{META, META_COLUMNS, group_path, meta, name};
use super::tree::{Page, Table};
use super::{Snapshot, StoreError, Tx};

/// A cluster to be made.
pub struct NewCluster<'a> {
    /// Its workspace.
    pub workspace: &'a Workspace,
    /// Its name.
    pub name: &'a Name,
    /// The wish.
    pub spec: &'a ClusterSpec,
    /// What it begins with.
    pub status: ClusterStatus,
}

fn select(rest: &str) -> String {
    format!(
        "SELECT {META}, g.subscription, g.name, w.name, r.spec, r.status \
         FROM clusters r JOIN workspaces w ON w.uid = r.workspace_uid \
         JOIN resource_groups g ON g.uid = w.group_uid {rest}"
    )
}

fn cluster(row: &Row<'_>) -> Result<Cluster, StoreError> {
    let text = |i: usize| row.get::<_, String>(META_COLUMNS + i);
    Ok(Cluster {
        meta: meta(row)?,
        scope: group_path(&text(0)?, &text(1)?)?,
        workspace: name(&text(2)?)?,
        spec: stored::read(&text(3)?)?,
        status: stored::read(&text(4)?)?,
        counts: NodeStateCounts::default(),
    })
}

fn context(uid: Uid) -> String {
    format!("cluster {uid}")
}

impl Snapshot<'_> {
    /// A cluster by name, without its node counts.
    pub fn cluster(&self, workspace: Uid, name: &Name) -> Result<Option<Cluster>, StoreError> {
        let sql = select("WHERE r.workspace_uid = ?1 AND r.name_key = ?2");
        self.row(&sql, params![workspace.0, name.key()], cluster)
    }

    /// A cluster by uid, without its node counts.
    pub fn cluster_by_uid(&self, uid: Uid) -> Result<Option<Cluster>, StoreError> {
        self.row(&select("WHERE r.uid = ?1"), params![uid.0], cluster)
    }

    /// A cluster's wish with its secrets.
    pub fn cluster_secrets(&self, found: &Cluster) -> Result<ClusterSpec, StoreError> {
        let uid = found.meta.uid;
        let sealed = self.row(
            "SELECT sealed FROM clusters WHERE uid = ?1",
            params![uid.0],
            |row| Ok(row.get(0)?),
        )?;
        let mut spec = found.spec.clone();
        self.unseal(&mut spec, &context(uid), sealed.flatten())?;
        Ok(spec)
    }

    /// The clusters of a workspace, without their node counts.
    pub fn clusters(&self, workspace: Uid, page: Page) -> Result<Vec<Cluster>, StoreError> {
        let sql = select("WHERE r.workspace_uid = ?1 AND r.uid > ?2 ORDER BY r.uid LIMIT ?3");
        self.rows(&sql, params![workspace.0, page.after(), page.limit], cluster)
    }

    /// How many clusters a subscription has in a region.
    pub fn count_clusters(&self, subscription: &SubscriptionId, region: &Region) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM clusters r JOIN workspaces w ON w.uid = r.workspace_uid \
                   JOIN resource_groups g ON g.uid = w.group_uid \
                   WHERE g.subscription_key = ?1 AND w.region = ?2";
        let count = self.row(sql, params![subscription.key(), region.as_str()], |row| {
            Ok(row.get(0)?)
        })?;
        Ok(count.unwrap_or(0))
    }

    /// Clusters that the reconciler has to look at by `now`.
    pub fn clusters_to_look_at(&self, now: Timestamp) -> Result<Vec<Cluster>, StoreError> {
        let sql = select("WHERE r.look_at <= ?1 ORDER BY r.look_at, r.uid LIMIT 100");
        self.rows(&sql, params![now.as_millisecond()], cluster)
    }

    /// When the next look is due; the epoch is at once.
    pub fn next_look(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(look_at) FROM clusters WHERE look_at IS NOT NULL";
        let millis: Option<Option<i64>> = self.row(sql, [], |row| Ok(row.get(0)?))?;
        millis.flatten().map(super::rows::time).transpose()
    }
}

impl Tx<'_> {
    /// A new cluster; the reconciler looks at it at once.
    pub fn insert_cluster(&self, new: NewCluster<'_>, now: Timestamp) -> Result<Cluster, StoreError> {
        let meta = self.new_meta(new.name, now)?;
        let (text, sealed) = self.seal(new.spec, &context(meta.uid))?;
        self.run(
            "INSERT INTO clusters VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 'succeeded', ?5, ?6, ?7, ?8, 0)",
            params![
                meta.uid.0,
                new.workspace.meta.uid.0,
                new.name.as_str(),
                new.name.key(),
                now.as_millisecond(),
                text,
                sealed,
                stored::write(&new.status)?
            ],
        )?;
        Ok(Cluster {
            meta,
            scope: new.workspace.scope.clone(),
            workspace: new.workspace.meta.name.clone(),
            spec: new.spec.clone(),
            status: new.status,
            counts: NodeStateCounts::default(),
        })
    }

    /// Another scale, other tags: the stored wish changes, and the ETag with it. Neither `spec` nor `found` may hold
    /// secrets of its own.
    pub fn set_cluster_spec(
        &self,
        found: &mut Cluster,
        spec: ClusterSpec,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        found.spec = spec;
        found.meta.modified = now;
        found.meta.revision += 1;
        self.run(
            "UPDATE clusters SET spec = ?2, modified = ?3, revision = ?4, look_at = 0 WHERE uid = ?1",
            params![
                found.meta.uid.0,
                stored::write(&found.spec)?,
                now.as_millisecond(),
                found.meta.revision
            ],
        )?;
        Ok(())
    }

    /// A new wish, its secrets among it; the ETag changes with it.
    pub fn set_cluster_wish(
        &self,
        found: &mut Cluster,
        wish: ClusterSpec,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (text, sealed) = self.seal(&wish, &context(found.meta.uid))?;
        found.spec = wish;
        found.meta.modified = now;
        found.meta.revision += 1;
        self.run(
            "UPDATE clusters SET spec = ?2, sealed = ?3, modified = ?4, revision = ?5, look_at = 0 WHERE uid = ?1",
            params![
                found.meta.uid.0,
                text,
                sealed,
                now.as_millisecond(),
                found.meta.revision
            ],
        )?;
        Ok(())
    }

    /// Stores what is known of a cluster.
    pub fn set_cluster_status(&self, found: &Cluster) -> Result<(), StoreError> {
        self.run(
            "UPDATE clusters SET status = ?2 WHERE uid = ?1",
            params![found.meta.uid.0, stored::write(&found.status)?],
        )?;
        Ok(())
    }

    /// The reconciler has to look at a cluster at once.
    pub fn look_at_cluster(&self, uid: Uid) -> Result<(), StoreError> {
        self.run(
            "UPDATE clusters SET look_at = 0 WHERE uid = ?1 AND look_at IS NOT 0",
            params![uid.0],
        )?;
        Ok(())
    }

    /// The reconciler has to look at every cluster at once.
    pub fn look_at_all_clusters(&self) -> Result<(), StoreError> {
        self.run("UPDATE clusters SET look_at = 0 WHERE look_at IS NOT 0", [])?;
        Ok(())
    }

    /// The reconciler has looked; it looks again at `again`, or when something changes.
    pub fn cluster_looked_at(&self, uid: Uid, again: Option<Timestamp>) -> Result<(), StoreError> {
        self.run(
            "UPDATE clusters SET look_at = ?2 WHERE uid = ?1",
            params![uid.0, again.map(Timestamp::as_millisecond)],
        )?;
        Ok(())
    }

    /// Begins its deletion.
    pub fn begin_cluster_deletion(&self, uid: Uid, now: Timestamp) -> Result<(), StoreError> {
        self.set_provisioning(Table::Clusters, uid, Provisioning::Deleting, now)?;
        self.look_at_cluster(uid)
    }

    /// Ends its deletion. No node may be left.
    pub fn remove_cluster(&self, uid: Uid) -> Result<(), StoreError> {
        self.remove(Table::Clusters, uid)
    }
}
