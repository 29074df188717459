//! Experiments.

use jiff::Timestamp;
use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::Name;
use trainyard_domain::state::{Experiment, Provisioning, Workspace};

use super::rows::{META, META_COLUMNS, group_path, meta, name};
use super::tree::{Page, Table};
use super::{Snapshot, StoreError, Tx};

fn select(rest: &str) -> String {
    format!(
        "SELECT {META}, g.subscription, g.name, w.name \
         FROM experiments r JOIN workspaces w ON w.uid = r.workspace_uid \
         JOIN resource_groups g ON g.uid = w.group_uid {rest}"
    )
}

fn experiment(row: &Row<'_>) -> Result<Experiment, StoreError> {
    let text = |i: usize| row.get::<_, String>(META_COLUMNS + i);
    Ok(Experiment {
        meta: meta(row)?,
        scope: group_path(&text(0)?, &text(1)?)?,
        workspace: name(&text(2)?)?,
    })
}

impl Snapshot<'_> {
    /// An experiment by name.
    pub fn experiment(&self, workspace: Uid, name: &Name) -> Result<Option<Experiment>, StoreError> {
        let sql = select("WHERE r.workspace_uid = ?1 AND r.name_key = ?2");
        self.row(&sql, params![workspace.0, name.key()], experiment)
    }

    /// An experiment by uid.
    pub fn experiment_by_uid(&self, uid: Uid) -> Result<Option<Experiment>, StoreError> {
        self.row(&select("WHERE r.uid = ?1"), params![uid.0], experiment)
    }

    /// The experiments of a workspace.
    pub fn experiments(&self, workspace: Uid, page: Page) -> Result<Vec<Experiment>, StoreError> {
        let sql = select("WHERE r.workspace_uid = ?1 AND r.uid > ?2 ORDER BY r.uid LIMIT ?3");
        self.rows(&sql, params![workspace.0, page.after(), page.limit], experiment)
    }

    /// Experiments that are going away.
    pub fn experiments_to_delete(&self) -> Result<Vec<Experiment>, StoreError> {
        self.rows(
            &select("WHERE r.provisioning = 'deleting' ORDER BY r.uid"),
            [],
            experiment,
        )
    }
}

impl Tx<'_> {
    /// A new experiment.
    pub fn insert_experiment(
        &self,
        workspace: &Workspace,
        name: &Name,
        now: Timestamp,
    ) -> Result<Experiment, StoreError> {
        let meta = self.new_meta(name, now)?;
        self.run(
            "INSERT INTO experiments VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 'succeeded', ?5)",
            params![
                meta.uid.0,
                workspace.meta.uid.0,
                name.as_str(),
                name.key(),
                now.as_millisecond()
            ],
        )?;
        Ok(Experiment {
            meta,
            scope: workspace.scope.clone(),
            workspace: workspace.meta.name.clone(),
        })
    }

    /// Begins its deletion.
    pub fn begin_experiment_deletion(&self, uid: Uid, now: Timestamp) -> Result<(), StoreError> {
        self.set_provisioning(Table::Experiments, uid, Provisioning::Deleting, now)
    }

    /// Ends its deletion. No job may be left beneath it.
    pub fn remove_experiment(&self, uid: Uid) -> Result<(), StoreError> {
        self.run("DELETE FROM job_counts WHERE experiment_uid = ?1", params![uid.0])?;
        self.remove(Table::Experiments, uid)
    }
}
