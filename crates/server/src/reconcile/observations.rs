//! What the engine saw becomes what is stored.

use std::collections::BTreeSet;

use tracing::{info, warn};
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::state::{BatchAiError, JobEvent, JobPhase, Node, NodeEvent, NodePhase, Seen};
use trainyard_engine::{NodeSeen, Observation, PlacementSeen};
use trainyard_store::{StoreError, Tx};

use super::effects::Effect;
use super::jobs::apply_to_job;
use super::{Decided, Round};

impl Round {
    /// Applies observations. In a full round a node that was ready, or has an attempt, and is not seen is gone. One
    /// that is being prepared may not have been asked for yet; of an unusable one the engine may never have heard,
    /// since its shares could not be had: it stays until it is released.
    pub(super) fn observe(
        &self,
        tx: &Tx<'_>,
        seen: Vec<Observation>,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        if self.full {
            let known: BTreeSet<Uid> = seen.iter().map(Observation::node).collect();
            for node in tx.nodes()? {
                let was_there = node.status.phase == NodePhase::Ready || node.status.placement.is_some();
                if was_there && !known.contains(&node.uid) {
                    self.node_gone(tx, node.uid, decided)?;
                }
            }
        }
        for observation in seen {
            match observation {
                Observation::Node { node, seen } => self.node_seen(tx, node, seen, decided)?,
                Observation::Placement {
                    node,
                    placement,
                    seen,
                } => {
                    self.placement_seen(tx, node, placement, seen, decided)?;
                }
            }
        }
        Ok(())
    }

    fn node_seen(
        &self,
        tx: &Tx<'_>,
        uid: Uid,
        seen: NodeSeen,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let event = match seen {
            NodeSeen::Gone => return self.node_gone(tx, uid, decided),
            NodeSeen::Preparing => None,
            NodeSeen::Ready => Some(NodeEvent::Ready),
            NodeSeen::SetupFailed(errors) => Some(NodeEvent::SetupFailed(errors)),
        };
        let Some(mut node) = tx.node(uid)? else {
            decided.effects.push(Effect::ReleaseNode(uid));
            return Ok(());
        };
        if let Some(event) = event
            && let Ok(status) = node.status.apply(event, self.now)
        {
            info!(node = node.name, phase = ?status.phase, "node");
            node.status = status;
            tx.set_node_status(&node)?;
            tx.look_at_cluster(node.cluster)?;
            if node.status.phase == NodePhase::Ready {
                self.end_setback(tx, &node)?;
            }
        }
        Ok(())
    }

    /// A node is gone, wanted or not: the attempt on it is lost, its row goes.
    fn node_gone(&self, tx: &Tx<'_>, uid: Uid, decided: &mut Decided) -> Result<(), StoreError> {
        let Some(node) = tx.node(uid)? else {
            // What a lost node has left on disk goes once; the engine answers that it is gone once more.
            if self.full {
                decided.effects.push(Effect::ReleaseNode(uid));
            }
            return Ok(());
        };
        decided.effects.push(Effect::ReleaseNode(uid));
        if node.status.leaving {
            info!(node = node.name, "the node has left");
        } else {
            let words = self.last_words.get(&uid);
            warn!(node = node.name, ?words, "the node is lost");
            if node.status.phase == NodePhase::Preparing {
                self.note_setback(tx, &node)?;
            }
        }
        if let Some(id) = node.status.placement {
            self.report(tx, &node, id, Seen::Lost, decided)?;
        }
        tx.remove_node(uid)?;
        tx.look_at_cluster(node.cluster)
    }

    fn placement_seen(
        &self,
        tx: &Tx<'_>,
        uid: Uid,
        id: PlacementId,
        seen: PlacementSeen,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let node = tx.node(uid)?;
        let Some(node) = node.filter(|node| node.status.placement == Some(id)) else {
            // Nobody waits for it any more: it is stopped if it runs, and forgotten once it is over.
            decided.effects.push(match seen {
                PlacementSeen::Active | PlacementSeen::Decided => Effect::Stop {
                    placement: id,
                    nodes: vec![uid],
                },
                PlacementSeen::Ended(_) => Effect::Forget {
                    placement: id,
                    node: uid,
                },
            });
            return Ok(());
        };
        let seen = match seen {
            PlacementSeen::Active => Seen::Active,
            PlacementSeen::Decided => Seen::Decided,
            PlacementSeen::Ended(verdict) => Seen::Ended(verdict),
        };
        self.report(tx, &node, id, seen, decided)
    }

    /// The engine could not be told of an attempt. Some node may know it from before, so they are all stopped
    /// first.
    pub(super) fn refuse(&self, tx: &Tx<'_>, id: PlacementId, error: BatchAiError) -> Result<(), StoreError> {
        let Some(mut job) = tx.job_by_uid(id.job)?.filter(|job| job.placement_id() == id) else {
            return Ok(());
        };
        if job.status.phase == JobPhase::Running {
            let event = JobEvent::Refused(error);
            apply_to_job(tx, &mut job, event, self.now, self.settings.max_node_losses)?;
        }
        Ok(())
    }

    fn report(
        &self,
        tx: &Tx<'_>,
        node: &Node,
        id: PlacementId,
        seen: Seen,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let Some(mut job) = tx.job_by_uid(id.job)? else {
            return Ok(());
        };
        let event = JobEvent::Reported {
            attempt: id.attempt,
            node: node.uid,
            seen,
        };
        let released = apply_to_job(tx, &mut job, event, self.now, self.settings.max_node_losses)?;
        if let Some((placement, places)) = released {
            let forget = places.nodes.iter().map(|n| Effect::Forget {
                placement,
                node: n.uid,
            });
            decided.effects.extend(forget);
        }
        Ok(())
    }
}
