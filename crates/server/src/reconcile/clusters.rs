//! A look at one cluster: how many nodes, which of them leave, which jobs start.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};
use tracing::info;
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{job_unavailable, node_decides, ports_of};
use trainyard_domain::spec::{DeallocationOption, JobSpec, Scale, Vaulted};
use trainyard_domain::state::{
    Allocation, BatchAiError, Cluster, Job, JobEvent, Node, NodeEvent, NodeStatus, PlacedNode, Placement,
    Provisioning, Seen, node_name,
};
use trainyard_engine::Addresses;
use trainyard_sched::{
    ClusterView, Demand, NodeView, Policy, Room, ScalePlan, Waiting, demand_of, place, scale,
};
use trainyard_store::{LineEntry, StoreError, Tx};

use super::effects::Effect;
use super::gpus::gpus_held;
use super::jobs::apply_to_job;
use super::{Decided, Round};

/// How far into the waiting line one look goes. Behind the first job that must wait nothing starts anyway.
const LINE: u32 = 128;
/// Most nodes a cluster can want, so that many jobs tell the demand.
const DEMAND: u32 = trainyard_domain::limits::NODES_PER_CLUSTER;
/// How long a job must have waited before the reason is written down again.
const SHORT_WAIT: SignedDuration = SignedDuration::from_secs(1);

/// When a job for which too few free ports were known is tried again.
const PORTS_AGAIN: SignedDuration = SignedDuration::from_millis(100);

impl Round {
    pub(super) fn look_at(
        &self,
        tx: &Tx<'_>,
        mut cluster: Cluster,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        if cluster.meta.provisioning == Provisioning::Deleting {
            return self.delete_cluster(tx, &cluster, decided);
        }
        let uid = cluster.meta.uid;
        let mut nodes = tx.nodes_of(uid)?;
        let stopping: BTreeSet<Uid> = tx.jobs_to_stop(uid)?.iter().map(|job| job.meta.uid).collect();
        let plan = self.scale(tx, &cluster, &nodes, &stopping)?;
        let plan = self.hold_back(&cluster, plan);
        self.release(tx, &cluster, &mut nodes, &plan)?;
        self.allocate(tx, &mut cluster, &mut nodes, &plan, decided)?;
        self.stop_jobs(tx, uid, decided)?;
        let again = self.start_jobs(tx, &cluster, &mut nodes, &stopping, decided)?;
        for node in nodes.iter().filter(|node| node.status.may_go()) {
            decided.effects.push(Effect::ReleaseNode(node.uid));
        }
        self.note_allocation(tx, cluster, &nodes, &plan)?;
        tx.cluster_looked_at(uid, earliest(plan.look_again, again))
    }

    fn view(&self, cluster: &Cluster, nodes: &[Node], stopping: &BTreeSet<Uid>) -> ClusterView {
        let view = |node: &Node| NodeView::of(node.uid, &node.status, |id| stopping.contains(&id.job));
        ClusterView {
            scale: cluster.spec.scale.clone(),
            nodes: nodes.iter().map(view).collect(),
            is_new: cluster.status.last_node_number == 0,
        }
    }

    fn scale(
        &self,
        tx: &Tx<'_>,
        cluster: &Cluster,
        nodes: &[Node],
        stopping: &BTreeSet<Uid>,
    ) -> Result<ScalePlan, StoreError> {
        let view = self.view(cluster, nodes, stopping);
        let demand = match cluster.spec.scale {
            Scale::Manual { .. } => Demand::default(),
            Scale::Auto { .. } => {
                let line = tx.line(cluster.meta.uid, view.possible(), DEMAND)?;
                demand_of(line.iter().map(|entry| entry.node_count), view.possible())
            }
        };
        let policy = Policy {
            idle_time: SignedDuration::from_secs(i64::from(self.settings.idle_seconds)),
        };
        // A full cluster takes no more nodes, so nobody need count what room there is.
        let held = nodes.iter().filter(|node| !node.status.leaving).count();
        let room = if held >= cluster.spec.scale.most() as usize {
            Room {
                nodes: 0,
                limit: String::new(),
            }
        } else {
            self.room(tx, cluster)?
        };
        Ok(scale(&view, demand, &room, self.now, &policy))
    }

    fn release(
        &self,
        tx: &Tx<'_>,
        cluster: &Cluster,
        nodes: &mut [Node],
        plan: &ScalePlan,
    ) -> Result<(), StoreError> {
        for node in nodes.iter_mut().filter(|node| plan.release.contains(&node.uid)) {
            if let Ok(status) = node.status.apply(NodeEvent::Leave, self.now) {
                node.status = status;
                tx.set_node_status(node)?;
            }
        }
        for uid in &plan.stop {
            let Some(mut job) = tx.job_by_uid(*uid)? else {
                continue;
            };
            let event = match cluster.spec.scale.deallocation() {
                DeallocationOption::Requeue => JobEvent::Requeue,
                DeallocationOption::Terminate => JobEvent::Terminate,
                DeallocationOption::WaitForJobCompletion => continue,
            };
            apply_to_job(tx, &mut job, event, self.now, self.settings.max_node_losses)?;
        }
        Ok(())
    }

    fn allocate(
        &self,
        tx: &Tx<'_>,
        cluster: &mut Cluster,
        nodes: &mut Vec<Node>,
        plan: &ScalePlan,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let mut gpus = self.gpus_for(tx, cluster, plan.allocate)?;
        for _ in 0..plan.allocate {
            let uid = tx.next_uid(self.now)?;
            let is_taken = |address| tx.address_is_taken(address);
            // There is one, as `room_of_addresses` counts no more room than that.
            let Some(address) = free_address(self.settings.addresses, uid, is_taken)? else {
                break;
            };
            cluster.status.last_node_number += 1;
            let number = cluster.status.last_node_number;
            let node = Node {
                uid,
                cluster: cluster.meta.uid,
                name: node_name(cluster.meta.uid, number, self.now, cluster.spec.vm_priority),
                address,
                status: NodeStatus {
                    gpus: gpus.pop_front().unwrap_or_default(),
                    ..NodeStatus::new(self.now)
                },
            };
            tx.insert_node(&node)?;
            info!(node = node.name, address = %node.address, "a node is allocated");
            decided.effects.push(self.ensure_node(tx, cluster, &node)?);
            nodes.push(node);
        }
        Ok(())
    }

    fn ensure_node(&self, tx: &Tx<'_>, cluster: &Cluster, node: &Node) -> Result<Effect, StoreError> {
        let spec = tx.cluster_secrets(cluster)?;
        Ok(Effect::EnsureNode {
            node: Box::new(node.clone()),
            spec: Box::new(spec),
            suffix: cluster.status.std_out_err_path_suffix.clone(),
            folders: tx.mounted_folders(cluster.meta.uid)?,
        })
    }

    /// `nodes` are those of the cluster at least.
    fn launch(&self, tx: &Tx<'_>, job: &Job, nodes: &[Node]) -> Result<Effect, StoreError> {
        let spec = tx.job_secrets(job)?;
        Ok(Effect::Launch {
            gpus: gpus_held(job.placement_id(), nodes),
            job: Box::new(Job { spec, ..job.clone() }),
            folders: tx.mounted_folders(job.meta.uid)?,
        })
    }

    /// What a crash may have kept from the engine is told again, and what it has forgotten since a restored store was
    /// copied: whatever it does not show now. `shown` and `known` are what it shows.
    pub(super) fn tell_again(
        &self,
        tx: &Tx<'_>,
        shown: &BTreeSet<Uid>,
        known: &BTreeSet<(Uid, PlacementId)>,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let nodes = tx.nodes()?;
        for node in &nodes {
            let preparing = node.status.phase == trainyard_domain::state::NodePhase::Preparing;
            if preparing
                && !node.status.leaving
                && let Some(cluster) = tx.cluster_by_uid(node.cluster)?
                // A setup may take long, and its secrets are fetched once.
                && !(shown.contains(&node.uid) && cluster.spec.first_reference(&self.keys).is_some())
            {
                decided.effects.push(self.ensure_node(tx, &cluster, node)?);
            }
        }
        for job in tx.all_jobs_on_nodes()? {
            let running = job.status.phase == trainyard_domain::state::JobPhase::Running;
            let id = job.placement_id();
            let open = |n: &&PlacedNode| n.is_open();
            let mut open = job.status.placement.iter().flat_map(|p| &p.nodes).filter(open);
            let told = open.all(|node| known.contains(&(node.uid, id)));
            if running && !told {
                decided.effects.push(self.launch(tx, &job, &nodes)?);
            }
        }
        Ok(())
    }

    /// Tells the engine of attempts that are wanted stopped.
    pub(super) fn stop_jobs(
        &self,
        tx: &Tx<'_>,
        cluster: Uid,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        for job in tx.jobs_to_stop(cluster)? {
            let open = |n: &&PlacedNode| n.is_open();
            let placed = job.status.placement.iter().flat_map(|p| p.nodes.iter());
            let nodes = placed.filter(open).map(|n| n.uid).collect();
            decided.effects.push(Effect::Stop {
                placement: job.placement_id(),
                nodes,
            });
        }
        Ok(())
    }

    /// Gives idle nodes to the line; when to look again, if that is known.
    fn start_jobs(
        &self,
        tx: &Tx<'_>,
        cluster: &Cluster,
        nodes: &mut [Node],
        stopping: &BTreeSet<Uid>,
        decided: &mut Decided,
    ) -> Result<Option<Timestamp>, StoreError> {
        let view = self.view(cluster, nodes, stopping);
        let idle = nodes.iter().filter(|node| node.status.is_idle()).count();
        let depth = u32::try_from(idle).unwrap_or(LINE).saturating_add(1).min(LINE);
        let line = tx.line(cluster.meta.uid, view.possible(), depth)?;
        let waiting: Vec<Waiting> = line.iter().map(waiting).collect();
        let plan = place(&view, &waiting, self.starts_blocked().as_deref());
        let mut again = None;
        for start in plan.starts {
            let Some(mut job) = tx.job_by_uid(start.job)? else {
                continue;
            };
            if let Some(error) = job_unavailable(&job.spec).or_else(|| self.no_vaults(&job.spec)) {
                apply_to_job(tx, &mut job, JobEvent::Refused(error), self.now, 0)?;
                again = Some(self.now);
                continue;
            }
            let Some(ports) = self.ports(tx, &job.spec, decided)? else {
                let reason = "Too few free ports were found for the job; it is tried again.".to_owned();
                again = earliest(again, self.note_reason(tx, job, reason)?);
                again = earliest(again, Some(self.now + PORTS_AGAIN));
                continue;
            };
            self.start(tx, &mut job, nodes, &start.nodes, ports)?;
            decided.effects.push(self.launch(tx, &job, nodes)?);
        }
        if self.full {
            let view = self.view(cluster, nodes, stopping);
            self.note_reasons(tx, cluster, &view)?;
        } else if let Some((uid, reason)) = plan.reasons.first()
            && let Some(job) = tx.job_by_uid(*uid)?
        {
            again = earliest(again, self.note_reason(tx, job, reason.to_string())?);
        }
        Ok(again)
    }

    /// Writes down why jobs wait, those included that are too large for the cluster and that the line above
    /// passes over. Only in a full round: each change of the head would change the reason of all behind it.
    fn note_reasons(&self, tx: &Tx<'_>, cluster: &Cluster, view: &ClusterView) -> Result<(), StoreError> {
        let line = tx.line(cluster.meta.uid, u32::MAX, LINE)?;
        let waiting: Vec<Waiting> = line.iter().map(waiting).collect();
        for (uid, reason) in place(view, &waiting, self.starts_blocked().as_deref()).reasons {
            if let Some(job) = tx.job_by_uid(uid)? {
                self.note_reason(tx, job, reason.to_string())?;
            }
        }
        Ok(())
    }

    fn start(
        &self,
        tx: &Tx<'_>,
        job: &mut Job,
        nodes: &mut [Node],
        chosen: &[Uid],
        ports: Vec<u16>,
    ) -> Result<(), StoreError> {
        let attempt = job.status.attempt.next(tx.attempt_floor()?);
        let mut placed = Vec::with_capacity(chosen.len());
        for (index, uid) in (0..).zip(chosen) {
            if let Some(node) = nodes.iter().find(|node| node.uid == *uid) {
                let (name, address) = (node.name.clone(), node.address);
                placed.push(PlacedNode {
                    uid: *uid,
                    name,
                    address,
                    seen: Seen::Nothing,
                    decides: node_decides(&job.spec, index),
                });
            }
        }
        let mut ports = ports.into_iter();
        let placement = Placement {
            nodes: placed,
            port: ports.next().unwrap_or_default(),
            task_ports: ports.collect(),
        };
        let event = JobEvent::Placed { attempt, placement };
        apply_to_job(tx, job, event, self.now, self.settings.max_node_losses)?;
        self.note_fetching(tx, job)?;
        let id = job.placement_id();
        for node in nodes.iter_mut().filter(|node| chosen.contains(&node.uid)) {
            if let Ok(status) = node.status.apply(NodeEvent::Placed(id), self.now) {
                node.status = status;
                tx.set_node_status(node)?;
            }
        }
        Ok(())
    }

    /// The ports that the job needs, free on the machine and not given to another job: the one where its processes
    /// meet first. `None` while there are too few; the next rounds know more of them then.
    fn ports(
        &self,
        tx: &Tx<'_>,
        spec: &JobSpec,
        decided: &mut Decided,
    ) -> Result<Option<Vec<u16>>, StoreError> {
        let needed = ports_of(spec) as usize;
        if needed == 0 {
            return Ok(Some(Vec::new()));
        }
        let jobs = tx.all_jobs_on_nodes()?;
        let taken: BTreeSet<u16> = jobs
            .iter()
            .filter_map(|job| job.status.placement.as_ref())
            .flat_map(|placement| std::iter::once(&placement.port).chain(&placement.task_ports))
            .copied()
            .collect();
        let free = self.capacity.free_ports.iter().copied();
        let ports: Vec<u16> = free.filter(|port| !taken.contains(port)).take(needed).collect();
        if ports.len() < needed {
            decided.ports_lacking = decided.ports_lacking.max(needed + taken.len());
            return Ok(None);
        }
        Ok(Some(ports))
    }

    /// Why nothing starts, whatever waits.
    fn starts_blocked(&self) -> Option<String> {
        let (free, least) = (self.capacity.free_bytes, self.settings.min_free_bytes);
        (free < least).then(|| {
            let mib = |bytes: u64| bytes / (1024 * 1024);
            format!(
                "No job starts while the disk has {} MiB free and min_free is {} MiB. Free some space.",
                mib(free),
                mib(least)
            )
        })
    }

    /// Writes down why a job waits, once it has waited a little; when to look again for that.
    fn note_reason(
        &self,
        tx: &Tx<'_>,
        mut job: Job,
        reason: String,
    ) -> Result<Option<Timestamp>, StoreError> {
        let reason = job.status.waiting_for(&reason);
        if job.status.waiting.as_deref() == Some(&reason) {
            return Ok(None);
        }
        let due = job.meta.created + SHORT_WAIT;
        if due > self.now {
            return Ok(Some(due));
        }
        info!(job = %job.meta.name, reason, "waiting");
        job.status.waiting = Some(reason);
        tx.set_job_status(&job)?;
        Ok(None)
    }

    fn note_allocation(
        &self,
        tx: &Tx<'_>,
        mut cluster: Cluster,
        nodes: &[Node],
        plan: &ScalePlan,
    ) -> Result<(), StoreError> {
        let before = cluster.status.clone();
        let status = &mut cluster.status;
        status.wanted_nodes = plan.wanted;
        status.shortage = None;
        if plan.wanted == 0 {
            status.setback = None;
        }
        if let Some(shortage) = &plan.shortage {
            let error = self.unavailable(&cluster);
            let plain = || BatchAiError::new("NodesNotAvailable", shortage.to_string());
            cluster.status.shortage = Some(error.unwrap_or_else(plain));
        }
        let status = &mut cluster.status;
        let leaving = nodes.iter().any(|node| node.status.leaving);
        status.allocation = if leaving {
            Allocation::Resizing
        } else {
            Allocation::Steady
        };
        if status.allocation != before.allocation || plan.allocate > 0 {
            status.allocation_since = self.now;
        }
        // A first look that allocates nothing leaves last_node_number at 0, which is still a new cluster.
        // The number of the last node is written in any case: time may stand still between two rounds.
        if cluster.status != before || plan.allocate > 0 {
            tx.set_cluster_status(&cluster)?;
        }
        Ok(())
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn waiting(entry: &LineEntry) -> Waiting {
    Waiting {
        job: entry.job,
        name: entry.name.clone(),
        node_count: entry.node_count,
    }
}

/// An address that no node has, unless all are taken: where to begin looking depends on the uid, so that two servers on
/// one machine seldom meet.
fn free_address(
    addresses: Addresses,
    uid: Uid,
    is_taken: impl Fn(Ipv4Addr) -> Result<bool, StoreError>,
) -> Result<Option<Ipv4Addr>, StoreError> {
    let bits = uid.0.to_be_bytes();
    let first = u32::from_be_bytes([bits[4], bits[5], bits[6], bits[7]]).wrapping_mul(2_654_435_761);
    let first = first % addresses.count();
    for n in 0..addresses.count() {
        let address = addresses.nth(first + n);
        if !is_taken(address)? {
            return Ok(Some(address));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_free_address_is_found_and_none_where_all_are_taken() {
        let addresses = Addresses::Bridge(Ipv4Addr::new(10, 1, 0, 0));
        for last in [0, 77, addresses.count() - 1] {
            let last = addresses.nth(last);
            let found = free_address(addresses, Uid(0), |address| Ok(address != last));
            assert_eq!(found.unwrap(), Some(last));
        }
        assert_eq!(free_address(addresses, Uid(0), |_| Ok(true)).unwrap(), None);
    }
}
