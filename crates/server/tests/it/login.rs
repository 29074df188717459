//! Where nodes let people in, and whom.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use trainyard_domain::ids::Uid;
use trainyard_server::Logins;

use crate::events;
use crate::house::{House, cluster, job, job_path};

/// Gives ports from a shelf, as doors do, and remembers what it was asked for.
#[derive(Default)]
struct Shelf {
    next: Mutex<u16>,
    open: Mutex<BTreeMap<Uid, u16>>,
    /// Ports that somebody else has taken.
    taken: Mutex<Vec<u16>>,
}

impl Logins for Shelf {
    fn address(&self) -> &'static str {
        "trains.example.org"
    }

    fn keep(&self, nodes: &[(Uid, Option<u16>)]) -> Vec<(Uid, u16)> {
        let mut open = self.open.lock().unwrap();
        open.retain(|node, _| nodes.iter().any(|(wanted, _)| wanted == node));
        for (node, port) in nodes {
            let port = port.filter(|port| !self.taken.lock().unwrap().contains(port));
            open.entry(*node).or_insert_with(|| {
                port.unwrap_or_else(|| {
                    let mut next = self.next.lock().unwrap();
                    *next += 1;
                    30_000 + *next
                })
            });
        }
        open.iter().map(|(node, port)| (*node, *port)).collect()
    }
}

/// A house with a cluster of two nodes and a shelf of ports.
fn house() -> (House, Arc<Shelf>) {
    let house = House::furnished(2);
    let shelf = Arc::new(Shelf::default());
    house.app.let_in_by(shelf.clone());
    (house, shelf)
}

fn logins(house: &House, path: &str) -> Vec<(String, u64)> {
    let shown = house
        .post(&format!("{path}/listRemoteLoginInformation"))
        .expect(200)
        .json();
    let all = shown["value"].as_array().unwrap().iter();
    all.map(|one| {
        (
            one["ipAddress"].as_str().unwrap().to_owned(),
            one["port"].as_u64().unwrap(),
        )
    })
    .collect()
}

#[test]
fn each_node_has_a_port_of_its_own_that_outlives_the_server() {
    let (house, shelf) = house();
    let at = |port| ("trains.example.org".to_owned(), port);
    let before = logins(&house, "~/clusters/c");
    assert_eq!(before, [at(30_001), at(30_002)]);
    let house = house.restart();
    house.app.let_in_by(Arc::new(Shelf {
        next: Mutex::new(500),
        ..Shelf::default()
    }));
    house.app.open_logins().unwrap();
    assert_eq!(logins(&house, "~/clusters/c"), before);
    drop(shelf);
    let house = house.restart();
    let busy = Shelf {
        next: Mutex::new(600),
        taken: Mutex::new(vec![30_001]),
        ..Shelf::default()
    };
    house.app.let_in_by(Arc::new(busy));
    house.app.open_logins().unwrap();
    assert_eq!(
        logins(&house, "~/clusters/c"),
        [at(30_601), at(30_002)],
        "another took it"
    );
}

#[test]
fn a_job_shows_the_logins_of_its_nodes_and_a_node_that_is_gone_has_none() {
    let (house, shelf) = house();
    house.put(&job_path("j"), job("true")).expect(200);
    house.seconds(2);
    house.pump();
    let of_job = logins(&house, &job_path("j"));
    assert_eq!(of_job.len(), 1);
    assert!(logins(&house, "~/clusters/c").contains(&of_job[0]));
    let scale = json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 0, "nodeDeallocationOption": "terminate"}}}});
    house.patch("~/clusters/c", scale).expect(200);
    house.pump();
    house.seconds(2);
    house.pump();
    house.app.open_logins().unwrap();
    assert_eq!(logins(&house, "~/clusters/c"), []);
    assert!(shelf.open.lock().unwrap().is_empty());
    let gone = logins(&house, &job_path("j"));
    assert_eq!(gone[0].1, 22, "{gone:?}");
}

#[test]
fn the_account_is_that_of_the_cluster_with_its_password_until_it_is_deleted() {
    let (house, _shelf) = house();
    let mut with_key = cluster(1);
    with_key["properties"]["userAccountSettings"] = json!({"adminUserName": "yard", "adminUserPassword": "hush", "adminUserSshPublicKey": "ssh-rsa AAAA"});
    house.put("~/clusters/keyed", with_key).expect(200);
    house.pump();
    let stored = house.ports.store.read(|s| s.logins()).unwrap();
    let node = *stored.keys().max().unwrap();
    let (_, account) = house.app.login_account(node).unwrap().unwrap();
    assert_eq!(account.admin_user_name, "yard");
    assert_eq!(account.admin_user_password.unwrap().reveal(), "hush");
    assert_eq!(account.admin_user_ssh_public_key.as_deref(), Some("ssh-rsa AAAA"));
    house
        .app
        .note_login(node, "yard", "accepted", "by key from ::1".to_owned())
        .unwrap();
    let event = events::all(&house).pop().unwrap();
    assert_eq!(
        (
            event.caller.as_str(),
            event.action.as_str(),
            event.detail.as_deref()
        ),
        (
            "yard",
            "Microsoft.BatchAI/workspaces/clusters/nodes/login/accepted",
            Some("by key from ::1")
        )
    );
    assert!(
        event.target.contains("/clusters/keyed/nodes/tvm-"),
        "{}",
        event.target
    );
    house.delete("~/clusters/keyed").expect(202);
    assert!(
        house.app.login_account(node).unwrap().is_none(),
        "it is being deleted"
    );
    assert!(house.app.login_account(Uid(1)).unwrap().is_none());
    let shown = house.get("~/clusters/c").expect(200).json();
    assert_eq!(
        shown["properties"]["userAccountSettings"]["adminUserPassword"],
        Value::Null
    );
}
