//! Those who try.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, AuthResult};
use russh::keys::PublicKeyOrCertificate;
use trainyard_login::{Limits, Outcome};
use trainyard_node::machine::since_boot;

use crate::house::{House, PASSWORD, USER, account, quick};

struct Anybody;

impl client::Handler for Anybody {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

async fn connect(port: u16) -> Result<client::Handle<Anybody>, russh::Error> {
    client::connect(Arc::default(), ("127.0.0.1", port), Anybody).await
}

async fn is_let_in(port: u16, password: &str) -> bool {
    let mut guest = connect(port).await.unwrap();
    matches!(
        guest.authenticate_password(USER, password).await,
        Ok(AuthResult::Success)
    )
}

#[test]
fn a_thousand_wrong_passwords_get_nowhere() {
    let limits = Limits {
        wrong_passwords: 20,
        ..quick()
    };
    let mut house = House::new(limits);
    let port = house.node(1, account(Some(PASSWORD), None));
    let began = since_boot();
    house.runtime.block_on(async {
        assert!(is_let_in(port, PASSWORD).await);
        let mut tried = 0;
        while tried < 1000 {
            let mut stranger = connect(port).await.unwrap();
            for _ in 0..10 {
                match stranger
                    .authenticate_password(USER, format!("wrong {tried}"))
                    .await
                {
                    Ok(AuthResult::Failure { .. }) => tried += 1,
                    Ok(AuthResult::Success) => panic!("a wrong password is right"),
                    Err(_) => break,
                }
            }
        }
        assert!(
            !is_let_in(port, PASSWORD).await,
            "from there no password is taken any more"
        );
    });
    assert!(since_boot() - began < Duration::from_secs(60));
    house.doors().close();
    let notes = house.told.notes.lock().unwrap();
    let [let_in, first, rest] = &notes[..] else {
        panic!("{notes:?}");
    };
    assert!(matches!(let_in.outcome, Outcome::LetIn(_)), "{let_in:?}");
    assert!(matches!(first.outcome, Outcome::Refused(_)), "{first:?}");
    let Outcome::More(sum) = &rest.outcome else {
        panic!("{rest:?}");
    };
    assert!(sum.locked == 1 && sum.connections > 100, "{sum:?}");
    assert!(sum.addresses.contains(&first.from) && !sum.and_others, "{sum:?}");
}

#[test]
fn the_nodes_of_a_cluster_count_wrong_passwords_together() {
    let mut house = House::new(quick());
    let ports: Vec<u16> = (1..=4)
        .map(|node| house.node(node, account(Some(PASSWORD), None)))
        .collect();
    let other = house.node(5, account(Some("another"), None));
    house.runtime.block_on(async {
        for wrong in 0..quick().wrong_passwords {
            assert!(!is_let_in(ports[wrong as usize % 4], "wrong").await);
        }
        for port in ports {
            assert!(!is_let_in(port, PASSWORD).await, "no password is taken any more");
        }
        assert!(is_let_in(other, "another").await, "another cluster's is");
    });
}

#[test]
fn a_stranger_who_says_nothing_is_sent_away_and_others_come_in_meanwhile() {
    let limits = Limits {
        sign_in: Duration::from_millis(300),
        strangers_of_one: 4,
        ..quick()
    };
    let mut house = House::new(limits);
    let port = house.node(1, account(Some(PASSWORD), None));
    use std::io::Read;
    let silent: Vec<_> = (0..8)
        .map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    for mut stream in silent {
        stream.set_read_timeout(Some(crate::house::PATIENCE)).unwrap();
        let mut text = Vec::new();
        // The end comes, by itself or as a reset.
        let _ = stream.read_to_end(&mut text);
    }
    house.runtime.block_on(async {
        assert!(is_let_in(port, PASSWORD).await);
    });
}
