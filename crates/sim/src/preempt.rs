//! Nodes that are pre-empted, and what may come of it.

use std::collections::BTreeMap;

use http::Method;
use trainyard_domain::ids::Uid;
use trainyard_domain::spec::VmPriority;
use trainyard_domain::state::{AfterStop, Job, JobPhase, JobStatus, Node, Returned};

use crate::world::{Before, World};
use crate::{Broken, Checked, rule};

/// Jobs that are being stopped since a node of theirs was pre-empted.
pub(crate) fn stopping(jobs: &[Job]) -> BTreeMap<Uid, JobStatus> {
    let those = jobs.iter().filter(|job| is_pre_empted(&job.status));
    those.map(|job| (job.meta.uid, job.status.clone())).collect()
}

fn is_pre_empted(job: &JobStatus) -> bool {
    job.phase == JobPhase::Stopping(AfterStop::Preempt)
}

impl World {
    /// Asks for some node to be pre-empted; only one of a low-priority cluster is.
    pub(crate) fn preempt(&mut self) -> Checked {
        let nodes = self.store.read(|s| Ok::<_, Broken>(s.nodes()?))?;
        let Some(node) = self.rng.pick(&nodes).cloned() else {
            return Ok(());
        };
        let cluster = self
            .store
            .read(|s| Ok::<_, Broken>(s.cluster_by_uid(node.cluster)?))?;
        let low = cluster.is_some_and(|c| c.spec.vm_priority == VmPriority::LowPriority);
        let answer = self.ask(
            &Method::POST,
            &format!("/trainyard/nodes/{}/preempt", node.name),
            None,
        )?;
        match answer.status {
            200 => {
                rule!(low, "the dedicated node {} was pre-empted", node.name);
                self.pre_empted.0 += 1;
                self.check_leaves(&node)
            }
            409 => {
                rule!(!low, "the low-priority node {} was not pre-empted", node.name);
                Ok(())
            }
            // It may have gone between two tries of the request.
            404 if self.retried => Ok(()),
            status => Err(Broken::new(format!(
                "pre-empting {} was answered {status}",
                node.name
            ))),
        }
    }

    /// After the answer the node leaves, and its job is on its way out.
    fn check_leaves(&mut self, node: &Node) -> Checked {
        let Some(now) = self.store.read(|s| Ok::<_, Broken>(s.node(node.uid)?))? else {
            rule!(
                self.retried,
                "node {} was pre-empted and is gone at once",
                node.uid
            );
            return Ok(());
        };
        rule!(now.status.leaving, "node {} was pre-empted and stays", node.uid);
        self.watch.leaves(node.uid, now.status.placement);
        let Some(id) = now.status.placement else {
            return Ok(());
        };
        let job = self.store.read(|s| Ok::<_, Broken>(s.job_by_uid(id.job)?))?;
        let stopping = job
            .as_ref()
            .is_some_and(|j| matches!(j.status.phase, JobPhase::Stopping(_)));
        rule!(
            stopping,
            "node {} was pre-empted and {id} on it is not stopped",
            node.uid
        );
        if job.is_some_and(|job| is_pre_empted(&job.status)) {
            self.pre_empted.1 += 1;
        }
        Ok(())
    }

    /// What a round made of jobs that were stopped for a pre-empted node: back in the line, and no loss.
    pub(crate) fn check_pre_empted(&self, before: &Before) -> Checked {
        for (uid, was) in &before.pre_empted {
            let job = self.store.read(|s| Ok::<_, Broken>(s.job_by_uid(*uid)?))?;
            let Some(is) = job.map(|job| job.status) else {
                continue;
            };
            rule!(
                is.losses == was.losses,
                "job {uid} was pre-empted, and that counts as a loss"
            );
            let back = is.returned == Some(Returned::Preempted)
                && is.waiting.as_ref().is_some_and(|why| why.contains("pre-empted"));
            let right = match is.phase {
                JobPhase::Stopping(AfterStop::Preempt | AfterStop::Terminate) => is.attempt == was.attempt,
                JobPhase::Queued => back && is.attempt == was.attempt,
                JobPhase::Running => is.attempt > was.attempt,
                // Its cluster is being deleted.
                JobPhase::Failed => is
                    .execution
                    .is_some_and(|e| e.errors.iter().any(|e| e.code == "JobTerminated")),
                JobPhase::Stopping(_) | JobPhase::Succeeded => false,
            };
            rule!(
                right,
                "job {uid} was pre-empted and is {:?}, {:?}",
                is.phase,
                is.waiting
            );
        }
        Ok(())
    }
}
