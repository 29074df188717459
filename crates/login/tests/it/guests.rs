//! Who is let in, and what is written down of it.

use trainyard_domain::ids::Uid;
use trainyard_login::{Note, Outcome, Way};

use crate::house::{House, PASSWORD, USER, account, complaints, done, has_ssh, out, poll_until, quick};

#[test]
fn a_guest_comes_by_key_or_by_password_and_that_is_written_down() {
    if !has_ssh() {
        return;
    }
    let (house, port) = House::with_node();
    let mut by_key = house.ssh(port, &[]);
    by_key.arg("echo $OF_THE_NODE; exit 7");
    let ended = done(by_key);
    assert_eq!(
        (out(&ended).as_str(), ended.status.code()),
        ("yes\n", Some(7)),
        "{}",
        complaints(&ended)
    );
    let mut by_password = house.ssh_with(USER, PASSWORD, port);
    by_password.arg("echo in");
    let ended = done(by_password);
    assert_eq!(out(&ended), "in\n", "{}", complaints(&ended));
    let notes = house.told.notes.lock().unwrap();
    let outcomes: Vec<_> = notes
        .iter()
        .map(|note| (note.node, note.user.as_str(), note.outcome.clone()))
        .collect();
    let by = |way| (Uid(1), USER, Outcome::LetIn(way));
    assert_eq!(outcomes, [by(Way::Key), by(Way::Password)]);
}

#[test]
fn nobody_else_comes() {
    if !has_ssh() {
        return;
    }
    let (mut house, port) = House::with_node();
    let strangers_key = house.key("strangers");
    let other = house.node(2, account(None, Some(strangers_key)));
    let bare = house.node(3, account(None, None));
    let attempts = [
        ("a wrong password", house.ssh_with(USER, "wrong", port)),
        ("no password", house.ssh_with(USER, "", port)),
        ("a wrong name", house.ssh_with("root", PASSWORD, port)),
        ("the key of another cluster", house.ssh_by("strangers", port, &[])),
        (
            "the password of another cluster",
            house.ssh_with(USER, PASSWORD, other),
        ),
        (
            "a cluster without key and password",
            house.ssh_with(USER, "", bare),
        ),
        ("a cluster without key and password, by key", house.ssh(bare, &[])),
    ];
    let count = attempts.len();
    for (what, mut ssh) in attempts {
        ssh.arg("echo in");
        let ended = done(ssh);
        assert_eq!(
            (out(&ended).as_str(), ended.status.code()),
            ("", Some(255)),
            "{what}"
        );
        assert!(
            complaints(&ended).contains("Permission denied"),
            "{what}: {}",
            complaints(&ended)
        );
    }
    // The first at each of the nodes, at once.
    poll_until("refusals are written down", || {
        let notes = house.told.notes.lock().unwrap();
        (notes.len() == 3).then_some(())
    });
    let counted = |notes: &[Note]| -> u32 {
        let connections = notes.iter().map(|note| match &note.outcome {
            Outcome::Refused(_) => 1,
            Outcome::More(sum) => sum.connections,
            other => panic!("{other:?}"),
        });
        connections.sum()
    };
    poll_until("all refusals are written down", || {
        house.doors().write_refusals();
        let notes = house.told.notes.lock().unwrap();
        (counted(&notes) as usize == count).then_some(())
    });
    let notes = house.told.notes.lock().unwrap().clone();
    assert!(!format!("{notes:?}").contains(PASSWORD));
    let mut right = house.ssh_by("strangers", other, &[]);
    right.arg("echo in");
    assert_eq!(out(&done(right)), "in\n");
}

#[test]
fn a_node_that_is_gone_has_no_door_and_its_guests_are_gone_too() {
    if !has_ssh() {
        return;
    }
    let (house, port) = House::with_node();
    let file = house.path("line");
    let mut guest = house.ssh(port, &[]);
    guest.arg(format!("echo $$ > {}; exec sleep 1000", file.display()));
    let mut guest = guest.spawn().unwrap();
    let pid = crate::house::poll_line(&file);
    house.doors().keep(&[]);
    assert_eq!(guest.wait().unwrap().code(), Some(255));
    poll_until("the guest's command has ended", || {
        (!crate::house::lives(&pid)).then_some(())
    });
    let ended = done(house.ssh(port, &[]));
    assert!(complaints(&ended).contains("refused"), "{}", complaints(&ended));
}

#[test]
fn port_and_host_key_are_those_of_before() {
    if !has_ssh() {
        return;
    }
    let (mut house, port) = House::with_node();
    assert!(
        done({
            let mut ssh = house.ssh(port, &[]);
            ssh.arg("true");
            ssh
        })
        .status
        .success()
    );
    house.doors().close();
    house.open(quick());
    // Tasks of the old doors let the port go in their own time.
    poll_until("the port is free again", || {
        let ports = house.doors().keep(&[(Uid(1), Some(port))]);
        if ports != [(Uid(1), port)] {
            house.doors().keep(&[]);
            return None;
        }
        Some(())
    });
    let mut again = house.ssh(port, &[]);
    let ended = done({
        again.arg("echo in");
        again
    });
    assert_eq!(out(&ended), "in\n", "{}", complaints(&ended));
}

#[test]
fn a_thousand_doors_need_no_threads() {
    let house = House::with_ports(1000, quick());
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let before = threads();
    let nodes: Vec<_> = (1..=900).map(|n| (Uid(n), None)).collect();
    let doors = house.doors().keep(&nodes);
    // Something else may have some of the ports.
    assert!(doors.len() > 800, "{}", doors.len());
    let ports: std::collections::BTreeSet<u16> = doors.iter().map(|(_, port)| *port).collect();
    assert_eq!(ports.len(), doors.len());
    assert!(threads() < before + 50, "{} threads", threads());
    for port in ports.iter().take(3) {
        std::net::TcpStream::connect(("127.0.0.1", *port)).unwrap();
    }
}
