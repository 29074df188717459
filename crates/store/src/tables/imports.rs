//! What imports of old deployments made.

use jiff::Timestamp;
use rusqlite::params;
use trainyard_domain::ids::Uid;

use super::tree::Table;
use super::{Snapshot, StoreError, Tx};

/// What kind of thing an import made, in the order of undoing: what holds others comes behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImportedKind {
    /// A job that is over.
    Job,
    /// A cluster.
    Cluster,
    /// A file server.
    FileServer,
    /// An experiment.
    Experiment,
    /// A workspace.
    Workspace,
    /// A resource group.
    Group,
}

impl ImportedKind {
    const ALL: [ImportedKind; 6] = [
        ImportedKind::Job,
        ImportedKind::Cluster,
        ImportedKind::FileServer,
        ImportedKind::Experiment,
        ImportedKind::Workspace,
        ImportedKind::Group,
    ];

    /// Its number in the order of undoing.
    pub fn rank(self) -> i64 {
        self as i64
    }

    /// The kind with this number.
    pub fn of_rank(rank: i64) -> Option<ImportedKind> {
        ImportedKind::ALL.into_iter().find(|kind| kind.rank() == rank)
    }

    fn table(self) -> Table {
        match self {
            ImportedKind::Job => Table::Jobs,
            ImportedKind::Cluster => Table::Clusters,
            ImportedKind::FileServer => Table::FileServers,
            ImportedKind::Experiment => Table::Experiments,
            ImportedKind::Workspace => Table::Workspaces,
            ImportedKind::Group => Table::Groups,
        }
    }
}

/// One thing that an import made and that is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Imported {
    /// What kind.
    pub kind: ImportedKind,
    /// Which.
    pub uid: Uid,
}

impl Snapshot<'_> {
    /// The import that made a thing, if one did.
    pub fn import_of(&self, uid: Uid) -> Result<Option<String>, StoreError> {
        let sql = "SELECT import_id FROM imported WHERE uid = ?1";
        self.row(sql, params![uid.0], |row| Ok(row.get(0)?))
    }

    /// Up to `limit` of the things that an import made and that are there, in the order of undoing, behind `after`.
    pub fn imported(
        &self,
        import: &str,
        after: Option<Imported>,
        limit: u32,
    ) -> Result<Vec<Imported>, StoreError> {
        let (rank, uid) = after.map_or((-1, 0), |after| (after.kind.rank(), after.uid.0));
        let sql = "SELECT rank, uid FROM imported WHERE import_id = ?1 AND (rank, uid) > (?2, ?3) \
                   ORDER BY rank, uid LIMIT ?4";
        self.rows(sql, params![import, rank, uid, limit], |row| {
            let kind = ImportedKind::of_rank(row.get(0)?);
            Ok(Imported {
                kind: kind.ok_or(StoreError::Damaged { what: "an import" })?,
                uid: Uid(row.get(1)?),
            })
        })
    }

    /// Whether a cluster has a job, over or not, that this import did not make. It looks at every job there is.
    pub fn cluster_has_jobs_of_others(&self, cluster: Uid, import: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM jobs j WHERE j.cluster_uid = ?1 AND NOT EXISTS \
                   (SELECT 1 FROM imported i WHERE i.uid = j.uid AND i.import_id = ?2) LIMIT 1";
        self.exists(sql, params![cluster.0, import])
    }
}

impl Tx<'_> {
    /// An import made a thing.
    pub fn insert_imported(&self, import: &str, made: Imported) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO imported (uid, import_id, rank) VALUES (?1, ?2, ?3)",
            params![made.uid.0, import, made.kind.rank()],
        )?;
        Ok(())
    }

    /// Gives a thing the times that it had where it came from: when it was made, and since when it stands. A
    /// resource group has none.
    pub fn set_imported_times(
        &self,
        thing: Imported,
        created: Timestamp,
        since: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE {} SET created = ?2, modified = ?2, provisioning_since = ?3 WHERE uid = ?1",
            thing.kind.table().name()
        );
        self.run(
            &sql,
            params![thing.uid.0, created.as_millisecond(), since.as_millisecond()],
        )?;
        Ok(())
    }
}
