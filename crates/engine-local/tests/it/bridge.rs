//! Isolated nodes with a network of their own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use trainyard_domain::ids::Uid;
use trainyard_domain::state::Verdict;
use trainyard_engine::{Addresses, Engine, NodeSeen};
use trainyard_engine_local::{OpenError, end_all};

use crate::yard::{PATIENCE, Yard, id};

/// Bridges are the machine's: each test has a subnet of its own.
fn yard(number: u8) -> Option<(Yard, Addresses)> {
    for program in ["ip", "nsenter", "iptables"] {
        if run(program, &["--version"]).is_none() {
            println!("left out: a network for each node ({program} is not here)");
            return None;
        }
    }
    let subnet = Ipv4Addr::new(10, 231 + number, 0, 0);
    let mut yard = Yard::isolated()?;
    yard.close();
    yard.bridge = Some(subnet);
    yard.open();
    Some((yard, Addresses::Bridge(subnet)))
}

/// What a program of the machine says, if it is there.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the machine is asked what is left")]
    let done = Command::new(program).args(arguments).output().ok()?;
    String::from_utf8(done.stdout).ok()
}

fn node(yard: &Yard, uid: i64, address: Ipv4Addr) -> Uid {
    let mut plan = yard.node_plan(Uid(uid), None);
    plan.address = address;
    yard.engine().ensure_node(plan);
    yard.until_node(Uid(uid), &NodeSeen::Ready);
    yard.note_namespace(Uid(uid));
    Uid(uid)
}

/// Links and rules of the machine that are Trainyard's, for subnets of this test.
fn traces(yard: &Yard) -> String {
    let subnet = yard.bridge.unwrap().to_string();
    let rules = run("iptables", &["-w", "-t", "nat", "-S"]).unwrap();
    let rules: String = rules.lines().filter(|rule| rule.contains(&subnet)).collect();
    let links = run("ip", &["-o", "-4", "address"]).unwrap();
    let prefix = subnet.trim_end_matches("0.0").to_owned();
    let links: String = links.lines().filter(|link| link.contains(&prefix)).collect();
    rules + &links
}

fn links() -> usize {
    let links = fs::read_dir("/sys/class/net").unwrap().flatten();
    links
        .filter(|link| link.file_name().to_string_lossy().starts_with("ty0"))
        .count()
}

#[test]
fn nodes_have_addresses_and_ports_of_their_own_and_reach_each_other() {
    let Some((yard, addresses)) = yard(0) else { return };
    let (first, second) = (addresses.nth(0), addresses.nth(1));
    assert_eq!(first.octets()[2..], [0, 4]);
    let (one, other) = (node(&yard, 1, first), node(&yard, 2, second));
    // The same port on both at once, at every address and at their own localhost.
    let serve = |name: &str| {
        format!(
            "python3 -c \"import socket as s; l=s.create_server(('0.0.0.0', 7000)); open('$OUT/on','w').write('on\\n'); c=l.accept()[0]; c.sendall(b'{name}'); c.close()\""
        )
    };
    yard.launch(one, yard.plan(id(1), one, &serve("one")));
    yard.launch(other, yard.plan(id(2), other, &serve("other")));
    yard.line(id(1), one, "on");
    yard.line(id(2), other, "on");
    // The machine reaches a node.
    let mut said = String::new();
    std::io::Read::read_to_string(
        &mut std::net::TcpStream::connect((second, 7000)).unwrap(),
        &mut said,
    )
    .unwrap();
    assert_eq!(said, "other");
    assert_eq!(yard.verdict(id(2), other), Verdict::Exited(0));
    // A node reaches another one by its address, and not by its own localhost.
    let ask =
        format!("! (echo > /dev/tcp/127.0.0.1/7000) 2>/dev/null && cat < /dev/tcp/{first}/7000 > $OUT/said");
    assert_eq!(yard.run(id(3), other, &ask), Verdict::Exited(0));
    assert_eq!(yard.read(id(3), other, "said"), "one");
    assert_eq!(yard.verdict(id(1), one), Verdict::Exited(0));
}

#[test]
fn a_node_reaches_the_machine_and_its_link_goes_with_it() {
    let Some((mut yard, addresses)) = yard(1) else {
        return;
    };
    let before = links();
    let node = node(&yard, 0x1234_5678, addresses.nth(7));
    assert!(links() > before);
    let gateway = yard
        .bridge
        .map(|subnet| Ipv4Addr::from_bits(subnet.to_bits() | 1))
        .unwrap();
    let listener = TcpListener::bind((gateway, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let call = format!("echo here > /dev/tcp/{gateway}/{port}");
    assert_eq!(yard.run(id(1), node, &call), Verdict::Exited(0));
    let (_, caller) = listener.accept().unwrap();
    assert_eq!(caller.ip(), addresses.nth(7));
    // The engine finds bridge and node again.
    yard.close();
    yard.open();
    assert_eq!(yard.run(id(2), node, "true"), Verdict::Exited(0));
    kill_process(Pid::from_raw(yard.status(node).pid).unwrap(), Signal::KILL).unwrap();
    yard.until_node(node, &NodeSeen::Gone);
    yard.until("its link is gone", || (links() == before).then_some(()));
    assert!(!traces(&yard).is_empty());
    yard.close();
    end_all(&yard.root, PATIENCE).unwrap();
    assert_eq!(traces(&yard), "");
}

#[test]
fn addresses_that_somebody_has_are_refused() {
    let Some((mut yard, _)) = yard(2) else { return };
    let taken = yard.bridge;
    yard.close();
    let mut other = Yard::isolated().unwrap();
    other.close();
    other.bridge = taken;
    match other.try_open() {
        Err(OpenError::Bridge(error)) => {
            assert!(error.to_string().contains("local.bridge_subnet"), "{error}")
        }
        done => panic!("{done:?}"),
    }
    yard.open();
}

#[test]
fn a_node_keeps_its_kind_of_network_when_the_settings_change() {
    let Some((mut yard, addresses)) = yard(3) else {
        return;
    };
    let old = node(&yard, 1, addresses.nth(0));
    let by_loopback = |yard: &Yard, node| {
        let paths = yard.engine().paths(node);
        assert!(paths.share_cores && paths.apart);
        paths.share_loopback
    };
    assert!(!by_loopback(&yard, old));
    let bridge = yard.bridge.take();
    yard.close();
    yard.open();
    let new = node(&yard, 2, Ipv4Addr::LOCALHOST);
    assert_eq!((by_loopback(&yard, old), by_loopback(&yard, new)), (false, true));
    yard.bridge = bridge;
    yard.close();
    yard.open();
    assert_eq!((by_loopback(&yard, old), by_loopback(&yard, new)), (false, true));
    assert_eq!(yard.run(id(1), old, "true"), Verdict::Exited(0));
}
