//! How many nodes a cluster can have: bounded by the machine, by quotas and by what is built.

use trainyard_domain::launch::cluster_unavailable;
use trainyard_domain::spec::VmPriority;
use trainyard_domain::state::{BatchAiError, Cluster};
use trainyard_engine::Addresses;
use trainyard_sched::Room;
use trainyard_store::{StoreError, Tx};

use super::Round;

impl Round {
    /// How many more nodes there can be.
    pub(super) fn room(&self, tx: &Tx<'_>, cluster: &Cluster) -> Result<Room, StoreError> {
        if let Some(error) = self.unavailable(cluster) {
            return Ok(Room {
                nodes: 0,
                limit: error.message,
            });
        }
        let (most, nodes) = (self.capacity.max_nodes, tx.count_nodes()?);
        let machine = Room {
            nodes: most.saturating_sub(nodes),
            limit: format!("This machine takes at most {most} nodes; raise local.max_nodes for more."),
        };
        let machine = less(machine, room_of_addresses(self.settings.addresses, nodes));
        let others = [self.room_of_quota(tx, cluster)?, self.room_of_gpus(tx, cluster)?];
        Ok(others.into_iter().flatten().fold(machine, less))
    }

    /// How many more nodes the quotas of cores allow (behaviour.md section 2: a cluster stays below its
    /// target when a quota runs out).
    fn room_of_quota(&self, tx: &Tx<'_>, cluster: &Cluster) -> Result<Option<Room>, StoreError> {
        let priority = cluster.spec.vm_priority;
        let Some(size) = self.settings.vm_size(&cluster.spec.vm_size) else {
            return Ok(None);
        };
        let (all, family) = self.settings.quotas.cores(priority, &size.family);
        if all.is_none() && family.is_none() {
            return Ok(None);
        }
        let Some(group) = tx.group(&cluster.scope.subscription, &cluster.scope.group)? else {
            return Ok(None);
        };
        let Some(workspace) = tx.workspace(group.uid, &cluster.workspace)? else {
            return Ok(None);
        };
        let nodes = tx.nodes_in_use(&workspace.scope.subscription, &workspace.region)?;
        let word = match priority {
            VmPriority::Dedicated => "dedicated_cores",
            VmPriority::LowPriority => "lowpriority_cores",
        };
        let room = |limit: u32, family: Option<&str>, key: String| {
            let used = self.settings.cores_in_use(&nodes, priority, family);
            Room {
                nodes: limit.saturating_sub(used) / size.cores.max(1),
                limit: format!(
                    "The quota of {} is {limit} cores, {used} are in use; raise {key} for more.",
                    workspace.region
                ),
            }
        };
        let name = &size.family;
        let of_family =
            family.map(|limit| room(limit, Some(name), format!("quotas.families.\"{name}\".{word}")));
        let of_all = all.map(|limit| room(limit, None, format!("quotas.{word}")));
        Ok([of_family, of_all]
            .into_iter()
            .flatten()
            .min_by_key(|room| room.nodes))
    }

    /// What the cluster asks for that cannot be had, so that no node of it can be.
    pub(super) fn unavailable(&self, cluster: &Cluster) -> Option<BatchAiError> {
        self.too_few_gpus(cluster)
            .or_else(|| cluster_unavailable(&cluster.spec))
            .or_else(|| self.no_vaults(&cluster.spec))
    }
}

fn less(least: Room, room: Room) -> Room {
    if room.nodes < least.nodes { room } else { least }
}

/// How many more nodes can have addresses. Nodes from before another network was chosen count too.
fn room_of_addresses(addresses: Addresses, nodes: u32) -> Room {
    let all = addresses.count();
    Room {
        nodes: all.saturating_sub(nodes),
        limit: format!(
            "The network of nodes has {all} addresses and all are taken; scale other clusters down."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_nodes_than_addresses() {
        let bridge = Addresses::Bridge([10, 1, 0, 0].into());
        assert_eq!(room_of_addresses(bridge, 65_530).nodes, 1);
        let full = room_of_addresses(bridge, 65_532);
        assert_eq!(full.nodes, 0);
        assert!(full.limit.contains("65531 addresses"), "{}", full.limit);
        assert_eq!(room_of_addresses(Addresses::Loopback, 1).nodes, 15_605_759);
    }
}
