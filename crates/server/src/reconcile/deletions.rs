//! What is being deleted goes from the leaves up.

use trainyard_domain::state::{Cluster, JobEvent, NodeEvent, Provisioning};
use trainyard_store::{Page, StoreError, Tx};

use super::effects::Effect;
use super::jobs::{apply_to_job, begin_job_deletion};
use super::{Decided, Round};

/// Most jobs that one round touches for all experiments, and for one cluster, so that a round stays short.
const JOBS_A_ROUND: u32 = 200;
/// Most folders of file servers that one round takes away.
const FOLDERS_A_ROUND: u32 = 100;

impl Round {
    /// Takes every deletion as far as it goes now.
    pub(super) fn delete(&self, tx: &Tx<'_>, decided: &mut Decided) -> Result<(), StoreError> {
        let now = self.now;
        let mut room = JOBS_A_ROUND;
        for experiment in tx.experiments_to_delete()? {
            let uid = experiment.meta.uid;
            let mut jobs = tx.jobs_not_deleting(uid, room)?;
            room = room.saturating_sub(u32::try_from(jobs.len()).unwrap_or(JOBS_A_ROUND));
            decided.again |= room == 0;
            for job in &mut jobs {
                begin_job_deletion(tx, job, now)?;
            }
            if !tx.experiment_has_jobs(uid)? {
                tx.remove_experiment(uid)?;
                tx.close_operations_of_deleted(uid, now)?;
            }
        }
        for workspace in tx.workspaces_to_delete()? {
            let uid = workspace.meta.uid;
            for cluster in tx.clusters(uid, Page::ALL)? {
                if cluster.meta.provisioning == Provisioning::Succeeded {
                    tx.begin_cluster_deletion(cluster.meta.uid, now)?;
                }
            }
            for experiment in tx.experiments(uid, Page::ALL)? {
                if experiment.meta.provisioning == Provisioning::Succeeded {
                    tx.begin_experiment_deletion(experiment.meta.uid, now)?;
                    decided.again = true;
                }
            }
            if !tx.workspace_has_users(uid)? {
                // A cluster of another workspace may mount them still; its next node will not find them.
                for server in tx.file_servers(uid, Page::ALL)? {
                    tx.remove_file_server(server.meta.uid)?;
                }
                tx.remove_workspace(uid)?;
                tx.close_operations_of_deleted(uid, now)?;
            }
        }
        for group in tx.groups_to_delete()? {
            let workspaces = tx.workspaces_in_group(group.uid, Page::ALL)?;
            for workspace in workspaces
                .iter()
                .filter(|w| w.meta.provisioning == Provisioning::Succeeded)
            {
                tx.begin_workspace_deletion(workspace.meta.uid, now)?;
                decided.again = true;
            }
            if workspaces.is_empty() {
                tx.remove_group(group.uid)?;
                tx.close_operations_of_deleted(group.uid, now)?;
            }
        }
        let folders = tx.folders_to_remove(FOLDERS_A_ROUND)?.into_iter();
        decided.effects.extend(folders.map(Effect::RemoveFolder));
        Ok(())
    }

    /// A cluster that is being deleted ends its jobs, then its nodes, then itself.
    pub(super) fn delete_cluster(
        &self,
        tx: &Tx<'_>,
        cluster: &Cluster,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let uid = cluster.meta.uid;
        tx.cluster_looked_at(uid, None)?;
        let waiting = tx.line(uid, u32::MAX, JOBS_A_ROUND)?;
        if waiting.len() == JOBS_A_ROUND as usize {
            tx.look_at_cluster(uid)?;
        }
        let queued = waiting
            .iter()
            .map(|entry| tx.job_by_uid(entry.job))
            .collect::<Result<Vec<_>, _>>()?;
        let open = queued.into_iter().flatten().chain(tx.jobs_on_nodes(uid)?);
        for mut job in open {
            apply_to_job(tx, &mut job, JobEvent::Terminate, self.now, 0)?;
        }
        self.stop_jobs(tx, uid, decided)?;
        let nodes = tx.nodes_of(uid)?;
        for mut node in nodes.iter().cloned() {
            if let Ok(status) = node.status.apply(NodeEvent::Leave, self.now) {
                node.status = status;
                tx.set_node_status(&node)?;
            }
            if node.status.may_go() {
                decided.effects.push(Effect::ReleaseNode(node.uid));
            }
        }
        if nodes.is_empty() && !tx.cluster_has_open_jobs(uid)? {
            tx.remove_cluster(uid)?;
            tx.close_operations_of_deleted(uid, self.now)?;
            // Its workspace may have waited for this.
            decided.again = true;
        }
        Ok(())
    }
}
