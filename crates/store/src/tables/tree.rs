//! What the tables of the resource tree have in common: pages, children, removal.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::state::Provisioning;

use super::{Snapshot, StoreError, Tx};

/// One page of a list, in creation order: it costs the same at any depth, since it begins behind a uid.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The last uid of the page before.
    pub after: Option<Uid>,
    /// Most entries.
    pub limit: u32,
}

impl Page {
    /// The whole of a list that is known to be short.
    pub const ALL: Page = Page {
        after: None,
        limit: u32::MAX,
    };

    pub(super) fn after(self) -> i64 {
        self.after.map_or(i64::MIN, |uid| uid.0)
    }
}

/// The tables whose rows have a provisioning state, and what they hang beneath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Groups,
    Workspaces,
    Experiments,
    FileServers,
    Clusters,
    Jobs,
}

impl Table {
    pub(super) fn name(self) -> &'static str {
        match self {
            Table::Groups => "resource_groups",
            Table::Workspaces => "workspaces",
            Table::Experiments => "experiments",
            Table::FileServers => "file_servers",
            Table::Clusters => "clusters",
            Table::Jobs => "jobs",
        }
    }
}

impl Snapshot<'_> {
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    pub(super) fn row<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        rows.next()?.map(read).transpose()
    }

    pub(super) fn exists(&self, sql: &str, values: impl rusqlite::Params) -> Result<bool, StoreError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        Ok(statement.query_row(values, |_| Ok(())).optional()?.is_some())
    }
}

impl Tx<'_> {
    pub(super) fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, StoreError> {
        Ok(self.conn.prepare_cached(sql)?.execute(values)?)
    }

    pub(super) fn set_provisioning(
        &self,
        table: Table,
        uid: Uid,
        to: Provisioning,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let table = table.name();
        let sql = format!("UPDATE {table} SET provisioning = ?2, provisioning_since = ?3 WHERE uid = ?1");
        self.run(&sql, params![uid.0, to.as_str(), now.as_millisecond()])?;
        Ok(())
    }

    pub(super) fn remove(&self, table: Table, uid: Uid) -> Result<(), StoreError> {
        self.run(
            &format!("DELETE FROM {} WHERE uid = ?1", table.name()),
            params![uid.0],
        )?;
        Ok(())
    }
}

impl Snapshot<'_> {
    /// Whether anything above the clusters, or a folder, is going away.
    pub fn deletions_are_due(&self) -> Result<bool, StoreError> {
        if self.exists("SELECT 1 FROM folders_to_remove LIMIT 1", [])? {
            return Ok(true);
        }
        for table in [Table::Groups, Table::Workspaces, Table::Experiments] {
            let sql = format!(
                "SELECT 1 FROM {} WHERE provisioning = 'deleting' LIMIT 1",
                table.name()
            );
            if self.exists(&sql, [])? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
