//! The ports at which people log in to nodes.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;

use super::{Snapshot, StoreError, Tx};

fn port(row: &Row<'_>, column: usize) -> Result<Option<u16>, StoreError> {
    Ok(row.get::<_, Option<u16>>(column)?)
}

impl Snapshot<'_> {
    /// Every node with its port, if it has one.
    pub fn logins(&self) -> Result<BTreeMap<Uid, Option<u16>>, StoreError> {
        let sql = "SELECT n.uid, l.port FROM nodes n LEFT JOIN logins l ON l.node_uid = n.uid";
        let rows = self.rows(sql, [], |row| Ok((Uid(row.get(0)?), port(row, 1)?)))?;
        Ok(rows.into_iter().collect())
    }

    /// The port of a node.
    pub fn login_port(&self, node: Uid) -> Result<Option<u16>, StoreError> {
        let sql = "SELECT port FROM logins WHERE node_uid = ?1";
        let found = self.row(sql, params![node.0], |row| port(row, 0))?;
        Ok(found.flatten())
    }
}

impl Tx<'_> {
    /// Stores the port of a node, if it is still there. Whoever had it before has it no more.
    pub fn set_login_port(&self, node: Uid, port: u16) -> Result<(), StoreError> {
        self.run(
            "INSERT OR REPLACE INTO logins SELECT uid, ?2 FROM nodes WHERE uid = ?1",
            params![node.0, port],
        )?;
        Ok(())
    }
}
