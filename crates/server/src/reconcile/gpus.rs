//! Which GPUs a node gets. What is given out stands in the rows of the nodes: a GPU is free again once the row
//! of its node is gone, and that is when nothing of the node is left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use trainyard_domain::ids::{GpuId, PlacementId, Uid};
use trainyard_domain::state::{BatchAiError, Cluster, Node};
use trainyard_sched::Room;
use trainyard_store::{StoreError, Tx};

use super::Round;

impl Round {
    /// GPUs of the cluster's VM size.
    fn gpus_of_size(&self, cluster: &Cluster) -> u32 {
        let size = self.settings.vm_size(&cluster.spec.vm_size);
        size.map_or(0, |size| size.gpus)
    }

    /// GPUs that the engine offers and no node has, in the engine's order. One that a node has and the engine
    /// offers no more stays with that node, and comes back only if it is offered again.
    fn free_gpus(&self, tx: &Tx<'_>) -> Result<Vec<GpuId>, StoreError> {
        let given: BTreeSet<GpuId> = tx.nodes()?.into_iter().flat_map(|n| n.status.gpus).collect();
        let offered = self.capacity.gpus.iter();
        Ok(offered.filter(|gpu| !given.contains(gpu)).cloned().collect())
    }

    /// The GPUs of so many new nodes of the cluster: for each node as many as its size has, or none where not
    /// enough are left, which is so only where missing GPUs are ignored.
    pub(super) fn gpus_for(
        &self,
        tx: &Tx<'_>,
        cluster: &Cluster,
        nodes: u32,
    ) -> Result<VecDeque<Vec<GpuId>>, StoreError> {
        let each = self.gpus_of_size(cluster) as usize;
        if each == 0 || nodes == 0 {
            return Ok(VecDeque::new());
        }
        let free = self.free_gpus(tx)?;
        Ok(free.chunks_exact(each).map(<[GpuId]>::to_vec).collect())
    }

    /// How many more nodes get GPUs of their own: those of all nodes never sum above the machine's.
    pub(super) fn room_of_gpus(&self, tx: &Tx<'_>, cluster: &Cluster) -> Result<Option<Room>, StoreError> {
        let each = self.gpus_of_size(cluster);
        if each == 0 || self.settings.ignore_missing_gpus {
            return Ok(None);
        }
        let (offered, free) = (self.capacity.gpus.len(), self.free_gpus(tx)?.len());
        let nodes = u32::try_from(free).unwrap_or(u32::MAX) / each;
        Ok(Some(Room {
            nodes,
            limit: format!(
                "This machine offers {}, {free} free, and each node of size {} takes {each}; make another cluster \
                 smaller to free some.",
                counted(offered),
                cluster.spec.vm_size,
            ),
        }))
    }

    /// A node of this size has more GPUs than there are at all.
    pub(super) fn too_few_gpus(&self, cluster: &Cluster) -> Option<BatchAiError> {
        let (each, offered) = (self.gpus_of_size(cluster) as usize, self.capacity.gpus.len());
        if each <= offered || self.settings.ignore_missing_gpus {
            return None;
        }
        let message = format!(
            "Nodes of size {} have {} and this machine offers {offered}. Use a size without GPUs, or set \
             local.missing_gpus = \"ignore\".",
            cluster.spec.vm_size,
            counted(each),
        );
        Some(BatchAiError::not_available("properties.vmSize", message))
    }
}

/// How many GPUs the nodes of an attempt really have.
pub(super) fn gpus_held(id: PlacementId, nodes: &[Node]) -> BTreeMap<Uid, u32> {
    let number = |node: &Node| u32::try_from(node.status.gpus.len()).unwrap_or(u32::MAX);
    let held = nodes.iter().filter(|node| node.status.placement == Some(id));
    held.map(|node| (node.uid, number(node))).collect()
}

fn counted(gpus: usize) -> String {
    format!("{gpus} GPU{}", if gpus == 1 { "" } else { "s" })
}
