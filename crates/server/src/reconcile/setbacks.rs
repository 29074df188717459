//! Nodes that are lost before they are ready. What ended one may end the next as well: a cluster waits longer each time,
//! and shows why.

use trainyard_domain::state::{BatchAiError, Cluster, Node, Setback};
use trainyard_sched::ScalePlan;
use trainyard_store::{StoreError, Tx};

use super::Round;

/// Code of a node that ended before it was ready (errors.md).
const INTERNAL_ERROR: &str = "InternalError";

impl Round {
    /// A node is lost that was not ready yet.
    pub(super) fn note_setback(&self, tx: &Tx<'_>, node: &Node) -> Result<(), StoreError> {
        let Some(mut cluster) = tx.cluster_by_uid(node.cluster)? else {
            return Ok(());
        };
        let mut error = BatchAiError::new(
            INTERNAL_ERROR,
            format!(
                "The node {} ended before it was ready. Another one is tried after a pause, which grows up to two \
                 minutes. The details have the end of its log, if it said anything; see the server's log too.",
                node.name
            ),
        );
        if let Some(words) = self.last_words.get(&node.uid) {
            error.details.push(("Info".to_owned(), words.clone()));
        }
        let setback = Setback::after(cluster.status.setback.as_ref(), error, self.now);
        cluster.status.setback = Some(setback);
        tx.set_cluster_status(&cluster)
    }

    /// A node has become ready: what ended others does not end all.
    pub(super) fn end_setback(&self, tx: &Tx<'_>, node: &Node) -> Result<(), StoreError> {
        match tx.cluster_by_uid(node.cluster)? {
            Some(mut cluster) if cluster.status.setback.is_some() => {
                cluster.status.setback = None;
                tx.set_cluster_status(&cluster)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// During a pause nothing is allocated.
    pub(super) fn hold_back(&self, cluster: &Cluster, mut plan: ScalePlan) -> ScalePlan {
        let setback = cluster.status.setback.as_ref();
        if let Some(setback) = setback.filter(|setback| self.now < setback.until && plan.allocate > 0) {
            plan.allocate = 0;
            let until = setback.until;
            plan.look_again = Some(plan.look_again.map_or(until, |at| at.min(until)));
        }
        plan
    }
}
