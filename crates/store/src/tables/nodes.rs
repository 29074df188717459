//! Nodes.

use std::net::Ipv4Addr;

use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::state::{Node, NodeStateCounts};
use trainyard_domain::stored;

use super::{Snapshot, StoreError, Tx};

const COLUMNS: &str = "uid, cluster_uid, name, address, status";

fn node(row: &Row<'_>) -> Result<Node, StoreError> {
    let address = row.get::<_, String>(3)?;
    Ok(Node {
        uid: Uid(row.get(0)?),
        cluster: Uid(row.get(1)?),
        name: row.get(2)?,
        address: address.parse().map_err(|_| StoreError::Damaged {
            what: "a node's address",
        })?,
        status: stored::read(&row.get::<_, String>(4)?)?,
    })
}

impl Snapshot<'_> {
    /// A node.
    pub fn node(&self, uid: Uid) -> Result<Option<Node>, StoreError> {
        self.row(
            &format!("SELECT {COLUMNS} FROM nodes WHERE uid = ?1"),
            params![uid.0],
            node,
        )
    }

    /// A node by its id as users see it. Looks through all nodes: there are a few hundred at most, and few ask.
    pub fn node_by_name(&self, name: &str) -> Result<Option<Node>, StoreError> {
        self.row(
            &format!("SELECT {COLUMNS} FROM nodes WHERE name = ?1"),
            params![name],
            node,
        )
    }

    /// The nodes of a cluster, oldest first.
    pub fn nodes_of(&self, cluster: Uid) -> Result<Vec<Node>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM nodes WHERE cluster_uid = ?1 ORDER BY uid");
        self.rows(&sql, params![cluster.0], node)
    }

    /// Every node.
    pub fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.rows(&format!("SELECT {COLUMNS} FROM nodes ORDER BY uid"), [], node)
    }

    /// How many nodes there are.
    pub fn count_nodes(&self) -> Result<u32, StoreError> {
        Ok(self
            .row("SELECT count(*) FROM nodes", [], |row| Ok(row.get(0)?))?
            .unwrap_or(0))
    }

    /// The nodes of a cluster by state.
    pub fn node_counts(&self, cluster: Uid) -> Result<NodeStateCounts, StoreError> {
        let mut counts = NodeStateCounts::default();
        for node in self.nodes_of(cluster)? {
            node.status.count(&mut counts);
        }
        Ok(counts)
    }

    /// Whether a node has the address.
    pub fn address_is_taken(&self, address: Ipv4Addr) -> Result<bool, StoreError> {
        self.exists(
            "SELECT 1 FROM nodes WHERE address = ?1",
            params![address.to_string()],
        )
    }
}

impl Tx<'_> {
    /// A new node.
    pub fn insert_node(&self, node: &Node) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO nodes VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                node.uid.0,
                node.cluster.0,
                node.name,
                node.address.to_string(),
                stored::write(&node.status)?
            ],
        )?;
        Ok(())
    }

    /// Stores what is known of a node.
    pub fn set_node_status(&self, node: &Node) -> Result<(), StoreError> {
        self.run(
            "UPDATE nodes SET status = ?2 WHERE uid = ?1",
            params![node.uid.0, stored::write(&node.status)?],
        )?;
        Ok(())
    }

    /// Removes a node that is gone.
    pub fn remove_node(&self, uid: Uid) -> Result<(), StoreError> {
        self.run("DELETE FROM nodes WHERE uid = ?1", params![uid.0])?;
        Ok(())
    }
}
