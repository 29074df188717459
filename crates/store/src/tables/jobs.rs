//! Jobs: the waiting line is an index here, not a structure in memory.

use jiff::Timestamp;
use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::Name;
use trainyard_domain::spec::JobSpec;
use trainyard_domain::state::{ExecutionState, Experiment, Job, JobPhase, JobStatus, Provisioning};
use trainyard_domain::stored;

use super::rows::{META, META_COLUMNS, group_path, meta, name};
use super::tree::{Page, Table};
use super::{Snapshot, StoreError, Tx};

/// A job to be made.
pub struct NewJob<'a> {
    /// Its experiment.
    pub experiment: &'a Experiment,
    /// Its name.
    pub name: &'a Name,
    /// The cluster it is for.
    pub cluster: Uid,
    /// The wish.
    pub spec: &'a JobSpec,
    /// What it begins with.
    pub status: JobStatus,
}

/// A job in the line of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineEntry {
    /// The job.
    pub job: Uid,
    /// Its name.
    pub name: String,
    /// How many nodes it needs.
    pub node_count: u32,
}

fn select(rest: &str) -> String {
    format!(
        "SELECT {META}, g.subscription, g.name, w.name, e.name, r.cluster_uid, r.spec, r.status \
         FROM jobs r JOIN experiments e ON e.uid = r.experiment_uid \
         JOIN workspaces w ON w.uid = e.workspace_uid \
         JOIN resource_groups g ON g.uid = w.group_uid {rest}"
    )
}

fn job(row: &Row<'_>) -> Result<Job, StoreError> {
    let text = |i: usize| row.get::<_, String>(META_COLUMNS + i);
    Ok(Job {
        meta: meta(row)?,
        scope: group_path(&text(0)?, &text(1)?)?,
        workspace: name(&text(2)?)?,
        experiment: name(&text(3)?)?,
        cluster: Uid(row.get(META_COLUMNS + 4)?),
        spec: stored::read(&text(5)?)?,
        status: stored::read(&text(6)?)?,
    })
}

fn context(uid: Uid) -> String {
    format!("job {uid}")
}

impl Snapshot<'_> {
    /// A job by name.
    pub fn job(&self, experiment: Uid, name: &Name) -> Result<Option<Job>, StoreError> {
        let sql = select("WHERE r.experiment_uid = ?1 AND r.name_key = ?2");
        self.row(&sql, params![experiment.0, name.key()], job)
    }

    /// A job by uid.
    pub fn job_by_uid(&self, uid: Uid) -> Result<Option<Job>, StoreError> {
        self.row(&select("WHERE r.uid = ?1"), params![uid.0], job)
    }

    /// A job's wish with its secrets.
    pub fn job_secrets(&self, found: &Job) -> Result<JobSpec, StoreError> {
        let uid = found.meta.uid;
        let sealed = self.row("SELECT sealed FROM jobs WHERE uid = ?1", params![uid.0], |row| {
            Ok(row.get(0)?)
        })?;
        let mut spec = found.spec.clone();
        self.unseal(&mut spec, &context(uid), sealed.flatten())?;
        Ok(spec)
    }

    /// The jobs of an experiment.
    pub fn jobs(&self, experiment: Uid, page: Page) -> Result<Vec<Job>, StoreError> {
        let sql = select("WHERE r.experiment_uid = ?1 AND r.uid > ?2 ORDER BY r.uid LIMIT ?3");
        self.rows(&sql, params![experiment.0, page.after(), page.limit], job)
    }

    /// The head of a cluster's waiting line: higher priority first, then first come first served. Jobs that
    /// need more than `most` nodes are passed over.
    pub fn line(&self, cluster: Uid, most: u32, limit: u32) -> Result<Vec<LineEntry>, StoreError> {
        let sql = "SELECT uid, name, node_count FROM jobs \
                   WHERE state = 'queued' AND cluster_uid = ?1 AND node_count <= ?2 \
                   ORDER BY priority DESC, uid LIMIT ?3";
        self.rows(sql, params![cluster.0, most, limit], |row| {
            Ok(LineEntry {
                job: Uid(row.get(0)?),
                name: row.get(1)?,
                node_count: row.get(2)?,
            })
        })
    }

    /// Jobs of a cluster that hold nodes.
    pub fn jobs_on_nodes(&self, cluster: Uid) -> Result<Vec<Job>, StoreError> {
        let sql = select("WHERE r.cluster_uid = ?1 AND r.state IN ('running', 'terminating') ORDER BY r.uid");
        self.rows(&sql, params![cluster.0], job)
    }

    /// Jobs of a cluster that are wanted stopped.
    pub fn jobs_to_stop(&self, cluster: Uid) -> Result<Vec<Job>, StoreError> {
        self.rows(
            &select("WHERE r.cluster_uid = ?1 AND r.stopping = 1 ORDER BY r.uid"),
            params![cluster.0],
            job,
        )
    }

    /// Every job that holds nodes.
    pub fn all_jobs_on_nodes(&self) -> Result<Vec<Job>, StoreError> {
        self.rows(
            &select("WHERE r.state IN ('running', 'terminating') ORDER BY r.uid"),
            [],
            job,
        )
    }

    /// Whether any job that is not over is meant for a cluster.
    pub fn cluster_has_open_jobs(&self, cluster: Uid) -> Result<bool, StoreError> {
        let queued = "SELECT 1 FROM jobs WHERE state = 'queued' AND cluster_uid = ?1 LIMIT 1";
        let held =
            "SELECT 1 FROM jobs WHERE state IN ('running', 'terminating') AND cluster_uid = ?1 LIMIT 1";
        Ok(self.exists(queued, params![cluster.0])? || self.exists(held, params![cluster.0])?)
    }

    /// Up to `limit` jobs of an experiment that are not being deleted yet.
    pub fn jobs_not_deleting(&self, experiment: Uid, limit: u32) -> Result<Vec<Job>, StoreError> {
        let sql =
            select("WHERE r.experiment_uid = ?1 AND r.provisioning <> 'deleting' ORDER BY r.uid LIMIT ?2");
        self.rows(&sql, params![experiment.0, limit], job)
    }

    /// Whether an experiment has any job.
    pub fn experiment_has_jobs(&self, experiment: Uid) -> Result<bool, StoreError> {
        self.exists(
            "SELECT 1 FROM jobs WHERE experiment_uid = ?1 LIMIT 1",
            params![experiment.0],
        )
    }

    /// Jobs by execution state, over all experiments, from the counters.
    pub fn job_counts(&self) -> Result<Vec<(ExecutionState, u64)>, StoreError> {
        let sql = "SELECT coalesce(sum(jobs), 0) FROM job_counts WHERE state = ?1";
        ExecutionState::ALL
            .into_iter()
            .map(|state| {
                let count: Option<i64> = self.row(sql, params![state.as_str()], |row| Ok(row.get(0)?))?;
                Ok((state, count.unwrap_or(0).try_into().unwrap_or(0)))
            })
            .collect()
    }
}

impl Tx<'_> {
    /// A new job.
    pub fn insert_job(&self, new: NewJob<'_>, now: Timestamp) -> Result<Job, StoreError> {
        let meta = self.new_meta(new.name, now)?;
        let (text, sealed) = self.seal(new.spec, &context(meta.uid))?;
        self.run(
            "INSERT INTO jobs VALUES \
             (?1, ?2, ?3, ?4, ?5, ?6, ?6, 0, 'succeeded', ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0)",
            params![
                meta.uid.0,
                new.experiment.meta.uid.0,
                new.cluster.0,
                new.name.as_str(),
                new.name.key(),
                now.as_millisecond(),
                text,
                sealed,
                stored::write(&new.status)?,
                new.spec.priority.0,
                new.spec.node_count,
                new.status.execution_state().as_str()
            ],
        )?;
        Ok(Job {
            meta,
            scope: new.experiment.scope.clone(),
            workspace: new.experiment.workspace.clone(),
            experiment: new.experiment.meta.name.clone(),
            cluster: new.cluster,
            spec: new.spec.clone(),
            status: new.status,
        })
    }

    /// Stores what is known of a job.
    pub fn set_job_status(&self, found: &Job) -> Result<(), StoreError> {
        self.run(
            "UPDATE jobs SET status = ?2, state = ?3, stopping = ?4 WHERE uid = ?1",
            params![
                found.meta.uid.0,
                stored::write(&found.status)?,
                found.status.execution_state().as_str(),
                matches!(found.status.phase, JobPhase::Stopping(_))
            ],
        )?;
        Ok(())
    }

    /// Begins its deletion.
    pub fn begin_job_deletion(&self, found: &mut Job, now: Timestamp) -> Result<(), StoreError> {
        found.meta.provisioning = Provisioning::Deleting;
        found.meta.provisioning_since = now;
        self.set_provisioning(Table::Jobs, found.meta.uid, Provisioning::Deleting, now)
    }

    /// Removes a job that holds no nodes.
    pub fn remove_job(&self, uid: Uid) -> Result<(), StoreError> {
        self.remove(Table::Jobs, uid)
    }
}
