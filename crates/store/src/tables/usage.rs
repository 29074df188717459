//! What is in use, for quotas.

use rusqlite::params;
use trainyard_domain::name::{Region, SubscriptionId};
use trainyard_domain::spec::{ClusterSpec, VmPriority};
use trainyard_domain::stored;

use super::{Snapshot, StoreError};

/// Nodes of one cluster, for counting cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoresInUse {
    /// VM size of the nodes.
    pub vm_size: String,
    /// Kind of the nodes.
    pub priority: VmPriority,
    /// How many.
    pub nodes: u32,
}

impl Snapshot<'_> {
    /// The allocated nodes of a subscription in a region, by cluster.
    pub fn nodes_in_use(
        &self,
        subscription: &SubscriptionId,
        region: &Region,
    ) -> Result<Vec<CoresInUse>, StoreError> {
        let sql = "SELECT c.spec, count(*) FROM nodes n JOIN clusters c ON c.uid = n.cluster_uid \
                   JOIN workspaces w ON w.uid = c.workspace_uid \
                   JOIN resource_groups g ON g.uid = w.group_uid \
                   WHERE g.subscription_key = ?1 AND w.region = ?2 GROUP BY c.uid";
        self.rows(sql, params![subscription.key(), region.as_str()], |row| {
            let spec: ClusterSpec = stored::read(&row.get::<_, String>(0)?)?;
            Ok(CoresInUse {
                vm_size: spec.vm_size,
                priority: spec.vm_priority,
                nodes: row.get(1)?,
            })
        })
    }

    /// How many jobs of a subscription wait or run in a region, from the counters.
    pub fn count_active_jobs(
        &self,
        subscription: &SubscriptionId,
        region: &Region,
    ) -> Result<u32, StoreError> {
        let sql = "SELECT coalesce(sum(j.jobs), 0) FROM job_counts j JOIN experiments e ON e.uid = j.experiment_uid \
                   JOIN workspaces w ON w.uid = e.workspace_uid JOIN resource_groups g ON g.uid = w.group_uid \
                   WHERE g.subscription_key = ?1 AND w.region = ?2 AND j.state IN ('queued', 'running', 'terminating')";
        let count = self.row(sql, params![subscription.key(), region.as_str()], |row| {
            Ok(row.get(0)?)
        })?;
        Ok(count.unwrap_or(0))
    }
}
