//! The joint between remote login and the service: who is let in, and what is written down of it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use tracing::{error, info};
use trainyard_domain::ids::Uid;
use trainyard_login::{Account, Doors, HostKey, Limits, Note, Outcome, Sum, Way, Yard};
use trainyard_node::files::Folder;
use trainyard_server::{App, Logins, Random};

use super::ports::SystemRandom;
use super::settings::engine_root;
use crate::config::Config;

/// The host key in the data folder.
const HOST_KEY: &str = "ssh-host-key";

/// Opens remote login for the service, if the configuration wants it.
pub fn open(config: &Config, app: &Arc<App>) -> anyhow::Result<Option<Arc<Doors>>> {
    let wanted = &config.remote_login;
    if !wanted.enabled {
        return Ok(None);
    }
    let random = SystemRandom;
    let key = HostKey::load_or_create(&config.data().join(HOST_KEY), |seed| random.fill(seed))?;
    info!(fingerprint = key.fingerprint(), "remote login is open");
    let nodes = engine_root(config.data()).canonicalize()?.join("nodes");
    let doors = Arc::new(Doors::new(
        wanted.listen,
        wanted.ports.0.clone(),
        Limits::default(),
        key,
        Arc::new(OfService {
            app: Arc::downgrade(app),
            nodes,
        }),
        tokio::runtime::Handle::current(),
    ));
    let address = wanted.public_address.clone();
    app.let_in_by(Arc::new(OfDoors {
        doors: Arc::clone(&doors),
        address: address.unwrap_or_else(|| shown(wanted.listen)),
    }));
    Ok(Some(doors))
}

/// The address of a server that listens everywhere is for its operator to tell.
fn shown(listen: IpAddr) -> String {
    listen.to_string()
}

/// Several refusals in words.
fn together(sum: &Sum) -> String {
    let Sum {
        connections,
        tries,
        locked,
        ..
    } = sum;
    let mut addresses: Vec<String> = sum.addresses.iter().map(ToString::to_string).collect();
    if sum.and_others {
        addresses.push("others".to_owned());
    }
    let addresses = addresses.join(", ");
    format!(
        "since the last such event {connections} more connections with {tries} wrong keys or passwords, and {locked} times \
         too many wrong passwords, from {addresses}"
    )
}

/// What the doors ask and tell. The service is gone before them.
struct OfService {
    app: Weak<App>,
    nodes: PathBuf,
}

impl Yard for OfService {
    fn account(&self, node: Uid) -> Option<Account> {
        let found = self.app.upgrade()?.login_account(node);
        let found = found.inspect_err(|error| error!(%node, %error, "nobody is let in: the store failed"));
        let (cluster, settings) = found.ok().flatten()?;
        Some(Account { cluster, settings })
    }

    fn folder(&self, node: Uid) -> Folder {
        Folder::new(self.nodes.join(node.to_string()))
    }

    fn note(&self, note: Note) {
        let Note {
            node,
            from,
            user,
            outcome,
        } = note;
        let (what, detail) = match outcome {
            Outcome::LetIn(Way::Key) => ("accepted", format!("by key from {from}")),
            Outcome::LetIn(Way::Password) => ("accepted", format!("by password from {from}")),
            Outcome::Refused(tries) => ("refused", format!("{tries} wrong keys or passwords from {from}")),
            Outcome::Locked => (
                "locked",
                format!("too many wrong passwords from {from}; none is taken from there for a while"),
            ),
            Outcome::More(sum) => ("refused", together(&sum)),
        };
        let Some(app) = self.app.upgrade() else { return };
        if let Err(error) = app.note_login(node, &user, what, detail) {
            error!(%node, %error, "a login is not written down");
        }
    }
}

/// What the service asks of the doors.
struct OfDoors {
    doors: Arc<Doors>,
    address: String,
}

impl Logins for OfDoors {
    fn address(&self) -> &str {
        &self.address
    }

    fn keep(&self, nodes: &[(Uid, Option<u16>)]) -> Vec<(Uid, u16)> {
        self.doors.keep(nodes)
    }
}
