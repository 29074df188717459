//! Remote login: where nodes let people in, and whom.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::warn;
use trainyard_domain::ids::Uid;
use trainyard_domain::resource_id::cluster_id;
use trainyard_domain::spec::UserAccountSettings;
use trainyard_domain::state::{Cluster, Provisioning};
use trainyard_store::{Event, Snapshot, StoreError};

use crate::App;

/// The port where nobody is let in; nodes are shown with it while they have no login.
const CLOSED: u16 = 22;

/// What lets people in.
pub trait Logins: Send + Sync {
    /// The address that people are told.
    fn address(&self) -> &str;

    /// Lets people in at these nodes and at no other: each at the port given where that can be had, else at another one.
    /// Says which port each has. It touches sockets only and does not wait.
    fn keep(&self, nodes: &[(Uid, Option<u16>)]) -> Vec<(Uid, u16)>;
}

/// The logins of a server, if it has any.
#[derive(Default)]
pub(crate) struct Login {
    logins: OnceLock<Arc<dyn Logins>>,
    /// Held from the look at the rows until they are told: an older look must not undo a newer one.
    turn: Mutex<()>,
}

/// Where to reach a node.
pub(crate) struct Reach {
    /// An address.
    pub address: String,
    /// A port there.
    pub port: u16,
}

impl Login {
    /// Where people come to a node whose own address is `own`.
    pub fn reach(&self, s: &Snapshot<'_>, node: Uid, own: &dyn ToString) -> Result<Reach, StoreError> {
        let Some(logins) = self.logins.get() else {
            return Ok(closed(own));
        };
        let port = s.login_port(node)?;
        Ok(port.map_or_else(
            || closed(own),
            |port| Reach {
                address: logins.address().to_owned(),
                port,
            },
        ))
    }
}

fn closed(own: &dyn ToString) -> Reach {
    Reach {
        address: own.to_string(),
        port: CLOSED,
    }
}

impl App {
    /// From now on people are let in by these.
    pub fn let_in_by(&self, logins: Arc<dyn Logins>) {
        let _ = self.login.logins.set(logins);
    }

    /// Has every node of the store let people in, and none that is gone. It waits for the store.
    ///
    /// # Errors
    /// The store's.
    pub fn open_logins(&self) -> Result<(), StoreError> {
        let Some(logins) = self.login.logins.get() else {
            return Ok(());
        };
        let _turn = self.login.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.ports.store.read(|s| s.logins())?;
        let wanted: Vec<_> = stored.iter().map(|(node, port)| (*node, *port)).collect();
        let open = logins.keep(&wanted).into_iter();
        let new: Vec<_> = open
            .filter(|(node, port)| stored.get(node) != Some(&Some(*port)))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let write = self.ports.store.write(move |tx| -> Result<(), StoreError> {
            new.iter()
                .try_for_each(|(node, port)| tx.set_login_port(*node, *port))
        });
        write.wait().map_err(|error| error.flatten())
    }

    /// The same as the pump does it, after a round that made or removed nodes.
    pub(crate) fn look_after_logins(&self) {
        if let Err(error) = self.open_logins() {
            warn!(%error, cause = ?std::error::Error::source(&error), "ports of remote login are not stored; it is tried again");
        }
    }

    /// Who is let in at a node, with the password, and the cluster whose account it is. Nobody where there is no such node, or its cluster is being deleted.
    ///
    /// # Errors
    /// The store's.
    pub fn login_account(&self, node: Uid) -> Result<Option<(Uid, UserAccountSettings)>, StoreError> {
        self.ports.store.read(|s| {
            let Some((_, cluster)) = node_and_cluster(s, node)? else {
                return Ok(None);
            };
            if cluster.meta.provisioning == Provisioning::Deleting {
                return Ok(None);
            }
            let settings = s.cluster_secrets(&cluster)?.user_account_settings;
            Ok(Some((cluster.meta.uid, settings)))
        })
    }

    /// Writes down that `user` came to a node: `what` became of it, and more in a few words. It waits for the disk.
    ///
    /// # Errors
    /// The store's.
    pub fn note_login(&self, node: Uid, user: &str, what: &str, detail: String) -> Result<(), StoreError> {
        let now = self.ports.clock.now_in_millis();
        let (caller, action) = (
            user.to_owned(),
            format!("Microsoft.BatchAI/workspaces/clusters/nodes/login/{what}"),
        );
        let write = self.ports.store.write(move |tx| -> Result<(), StoreError> {
            let Some((name, cluster)) = node_and_cluster(tx, node)? else {
                return Ok(());
            };
            let cluster = cluster_id(&cluster.scope, &cluster.workspace, &cluster.meta.name);
            tx.insert_event(&Event {
                time: now,
                caller,
                action,
                target: format!("{cluster}/nodes/{name}"),
                request: None,
                detail: Some(detail),
            })
        });
        write.wait().map_err(|error| error.flatten())
    }
}

fn node_and_cluster(s: &Snapshot<'_>, node: Uid) -> Result<Option<(String, Cluster)>, StoreError> {
    let Some(node) = s.node(node)? else {
        return Ok(None);
    };
    Ok(s.cluster_by_uid(node.cluster)?
        .map(|cluster| (node.name, cluster)))
}
