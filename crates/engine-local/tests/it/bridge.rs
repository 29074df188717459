//! Isolated nodes with a network of their own.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use rustix::process::{Signal, kill_process};
use trainyard_domain::ids::Uid;
use trainyard_domain::state::Verdict;
use trainyard_engine::{Addresses, Engine, NodeSeen};
use trainyard_engine_local::{OpenError, end_all};

use crate::containers::{Yards, contained};
use crate::images::IMAGE;
use crate::network::{MACHINE, alone, ask, outside};
use crate::yard::{PATIENCE, Yard, id};

const SUBNET: Ipv4Addr = Ipv4Addr::new(10, 231, 0, 0);
const ANOTHER: Ipv4Addr = Ipv4Addr::new(10, 232, 0, 0);
/// How many rules a bridge with one subnet has.
const RULES: usize = 3;

fn on_a_bridge(mut yard: Yard, subnet: Ipv4Addr) -> Yard {
    set_network(&mut yard, Some(subnet));
    yard
}

fn yard() -> Yard {
    on_a_bridge(Yard::isolated().unwrap(), SUBNET)
}

/// Opens the engine again, with other settings.
fn set_network(yard: &mut Yard, subnet: Option<Ipv4Addr>) {
    yard.close();
    yard.bridge = subnet;
    yard.open();
}

fn address(subnet: Ipv4Addr, number: u32) -> Ipv4Addr {
    Addresses::Bridge(subnet).nth(number)
}

fn node(yard: &Yard, uid: i64, address: Ipv4Addr) -> Uid {
    let mut plan = yard.node_plan(Uid(uid), None);
    plan.address = address;
    yard.engine().ensure_node(plan);
    yard.until_node(Uid(uid), &NodeSeen::Ready);
    yard.note_namespace(Uid(uid));
    Uid(uid)
}

fn gateway(subnet: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(subnet.to_bits() | 1)
}

/// Bridges here.
fn bridges() -> Vec<String> {
    let told = ask("ip", "-o link show type bridge");
    let names = told.lines().filter_map(|line| line.split(": ").nth(1));
    names.map(str::to_owned).collect()
}

fn addresses() -> Vec<String> {
    let told = ask("ip", "-4 -o address");
    let found = told.lines().filter_map(|line| line.split_whitespace().nth(3));
    found
        .filter(|address| address.starts_with("10."))
        .map(str::to_owned)
        .collect()
}

/// Rules of iptables here that are Trainyard's.
fn rules() -> Vec<String> {
    let told = ask("iptables-save", "-c");
    let own = told.lines().filter(|line| line.contains("--comment trainyard"));
    own.map(str::to_owned).collect()
}

/// Links of nodes here.
fn links() -> usize {
    ask("ip", "-o link show type veth").matches(" ty").count()
}

/// A script that says a word to the first who comes to the port.
fn serve(host: &str, word: &str) -> String {
    format!(
        "python3 -c \"import socket as s; l=s.create_server(('{host}', 7000)); open('$OUT/on','w').write('on\\n'); c=l.accept()[0]; c.sendall(b'{word}'); c.close()\""
    )
}

/// What a job hears on a node from an address.
fn hears(yard: &Yard, job: i64, node: Uid, from: Ipv4Addr) -> String {
    let ask = format!("timeout 10 cat < /dev/tcp/{from}/7000 > $OUT/said");
    assert_eq!(yard.run(id(job), node, &ask), Verdict::Exited(0), "from {from}");
    yard.read(id(job), node, "said")
}

/// Whether a node reaches somebody, who sees who comes.
fn sees(yard: &Yard, job: i64, node: Uid, listener: &TcpListener) -> Ipv4Addr {
    let at = listener.local_addr().unwrap();
    let call = format!(
        "timeout 10 bash -c 'echo here > /dev/tcp/{}/{}'",
        at.ip(),
        at.port()
    );
    assert_eq!(yard.run(id(job), node, &call), Verdict::Exited(0), "to {at}");
    match listener.accept().unwrap().1.ip() {
        std::net::IpAddr::V4(address) => address,
        other => panic!("{other}"),
    }
}

#[test]
fn nodes_have_addresses_and_ports_of_their_own_and_reach_each_other() {
    alone(|| {
        let yard = yard();
        let (first, second) = (address(SUBNET, 0), address(SUBNET, 1));
        assert_eq!(first.octets()[2..], [0, 4]);
        let (one, other) = (node(&yard, 1, first), node(&yard, 2, second));
        // The same port on both at once, at every address and at their own localhost.
        yard.launch(one, yard.plan(id(1), one, &serve("0.0.0.0", "one")));
        yard.launch(other, yard.plan(id(2), other, &serve("0.0.0.0", "other")));
        yard.line(id(1), one, "on");
        yard.line(id(2), other, "on");
        // The machine reaches a node.
        let mut said = String::new();
        TcpStream::connect((second, 7000))
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(said, "other");
        assert_eq!(yard.verdict(id(2), other), Verdict::Exited(0));
        // A node reaches another one by its address, and not by its own localhost.
        let own = "! (echo > /dev/tcp/127.0.0.1/7000) 2>/dev/null";
        assert_eq!(yard.run(id(3), other, own), Verdict::Exited(0));
        assert_eq!(hears(&yard, 4, other, first), "one");
        assert_eq!(yard.verdict(id(1), one), Verdict::Exited(0));
    });
}

#[test]
fn a_node_reaches_what_listens_on_the_bridge_and_nothing_on_the_machines_loopback() {
    alone(|| {
        let mut yard = yard();
        let node = node(&yard, 1, address(SUBNET, 7));
        let listener = TcpListener::bind((gateway(SUBNET), 0)).unwrap();
        assert_eq!(sees(&yard, 1, node, &listener), address(SUBNET, 7));
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        for (job, host) in [(2, Ipv4Addr::LOCALHOST), (3, gateway(SUBNET))] {
            let call = format!("! timeout 10 bash -c 'echo > /dev/tcp/{host}/{port}' 2> $OUT/why");
            assert_eq!(yard.run(id(job), node, &call), Verdict::Exited(0));
            assert!(yard.read(id(job), node, "why").contains("Connection refused"));
        }
        // The engine finds bridge and node again.
        set_network(&mut yard, Some(SUBNET));
        assert_eq!(sees(&yard, 4, node, &listener), address(SUBNET, 7));
    });
}

#[test]
fn the_death_of_either_process_of_a_node_leaves_no_link_and_the_end_of_all_no_bridge() {
    alone(|| {
        let mut yard = yard();
        for (uid, dies) in [(1, "inner"), (2, "outer")] {
            let node = node(&yard, uid, address(SUBNET, 0));
            assert_eq!(links(), 1);
            yard.launch(node, yard.plan(id(uid), node, "echo on > $OUT/on; sleep 1000"));
            yard.line(id(uid), node, "on");
            kill_process(yard.process_of(node, dies), Signal::KILL).unwrap();
            yard.until_node(node, &NodeSeen::Gone);
            assert_eq!(yard.left(), Vec::<String>::new(), "the {dies} process was killed");
            yard.until("its link is gone", || (links() == 0).then_some(()));
        }
        // Its address is free again.
        node(&yard, 3, address(SUBNET, 0));
        assert_eq!((bridges().len(), rules().len()), (1, RULES));
        yard.close();
        end_all(&yard.root, PATIENCE).unwrap();
        assert_eq!((bridges(), rules()), (Vec::new(), Vec::new()));
    });
}

#[test]
fn nodes_reach_the_world_under_the_machines_address_whatever_else_is_dropped() {
    alone(|| {
        let outside = outside();
        // As docker has it, and an administrator after it.
        ask("iptables", "-P FORWARD DROP");
        ask("iptables", "-A FORWARD -j DROP");
        let mut yard = yard();
        let node = node(&yard, 1, address(SUBNET, 0));
        assert_eq!(sees(&yard, 1, node, &outside), MACHINE);
        // One that came before them later on does not stay there.
        ask("iptables", "-I FORWARD -j DROP");
        set_network(&mut yard, Some(SUBNET));
        assert_eq!(sees(&yard, 2, node, &outside), MACHINE);
        assert_eq!(rules().len(), RULES);
        let all = ask("iptables-save", "-t filter");
        assert_eq!(all.matches("-A FORWARD -j DROP").count(), 2, "{all}");
    });
}

#[test]
fn two_engines_have_two_bridges_with_addresses_of_their_own() {
    alone(|| {
        let (mut one, mut other) = (yard(), Yard::isolated().unwrap());
        other.close();
        other.bridge = Some(SUBNET);
        match other.try_open() {
            Err(OpenError::Bridge(error)) => {
                assert!(error.to_string().contains("local.bridge_subnet"), "{error}");
            }
            done => panic!("{done:?}"),
        }
        assert_eq!(bridges().len(), 1, "nothing was made for the other");
        other.bridge = Some(ANOTHER);
        other.open();
        let (first, second) = (
            node(&one, 1, address(SUBNET, 0)),
            node(&other, 1, address(ANOTHER, 0)),
        );
        let outside = outside();
        assert_eq!(sees(&one, 1, first, &outside), MACHINE);
        assert_eq!(sees(&other, 1, second, &outside), MACHINE);
        one.close();
        end_all(&one.root, PATIENCE).unwrap();
        assert_eq!((bridges().len(), rules().len()), (1, RULES));
        assert_eq!(sees(&other, 2, second, &outside), MACHINE);
    });
}

#[test]
fn the_bridges_own_address_stays_the_same_whoever_comes_and_goes() {
    alone(|| {
        let mut yard = yard();
        let [bridge] = &bridges()[..] else {
            panic!("{:?}", bridges())
        };
        let mac = || {
            let told = ask("ip", &format!("-o link show dev {bridge}"));
            let mut words = told.split_whitespace();
            words.find(|word| *word == "link/ether").unwrap();
            words.next().unwrap().to_owned()
        };
        let before = mac();
        for uid in 1..=3 {
            node(&yard, uid, address(SUBNET, 0));
            assert_eq!(mac(), before);
            yard.engine().release_node(Uid(uid));
            yard.until_node(Uid(uid), &NodeSeen::Gone);
            yard.until("its link is gone", || (links() == 0).then_some(()));
            assert_eq!(mac(), before);
        }
        // One that was made by somebody else, or by a version that did not care.
        yard.close();
        ask("ip", &format!("link delete {bridge}"));
        ask("ip", &format!("link add {bridge} type bridge"));
        assert_ne!(mac(), before);
        yard.open();
        assert_eq!(mac(), before);
    });
}

#[test]
fn nodes_of_an_old_subnet_keep_it_until_they_are_gone() {
    alone(|| {
        let mut yard = yard();
        let old = node(&yard, 1, address(SUBNET, 0));
        let both = ["10.231.0.1/16", "10.232.0.1/16"];
        set_network(&mut yard, Some(ANOTHER));
        assert_eq!(
            (addresses(), rules().len()),
            (both.map(str::to_owned).into(), RULES + 1)
        );
        let new = node(&yard, 2, address(ANOTHER, 0));
        let outside = outside();
        for (job, node) in [(1, old), (2, new)] {
            assert_eq!(sees(&yard, job, node, &outside), MACHINE);
        }
        yard.launch(old, yard.plan(id(3), old, &serve("0.0.0.0", "old")));
        yard.line(id(3), old, "on");
        assert_eq!(hears(&yard, 4, new, address(SUBNET, 0)), "old");
        yard.engine().release_node(old);
        yard.until_node(old, &NodeSeen::Gone);
        set_network(&mut yard, Some(ANOTHER));
        assert_eq!((addresses(), rules().len()), (vec![both[1].to_owned()], RULES));
        assert_eq!(sees(&yard, 5, new, &outside), MACHINE);
    });
}

#[test]
fn a_node_keeps_its_kind_of_network_when_the_settings_change_and_the_bridge_goes_with_the_last() {
    alone(|| {
        let mut yard = yard();
        let old = node(&yard, 1, address(SUBNET, 0));
        let by_loopback = |yard: &Yard, node| {
            let paths = yard.engine().paths(node);
            assert!(paths.share_cores && paths.apart);
            paths.share_loopback
        };
        assert!(!by_loopback(&yard, old));
        set_network(&mut yard, None);
        let new = node(&yard, 2, Ipv4Addr::LOCALHOST);
        assert_eq!((by_loopback(&yard, old), by_loopback(&yard, new)), (false, true));
        assert_eq!(sees(&yard, 1, old, &outside()), MACHINE);
        set_network(&mut yard, Some(SUBNET));
        assert_eq!((by_loopback(&yard, old), by_loopback(&yard, new)), (false, true));
        assert_eq!(yard.run(id(2), old, "true"), Verdict::Exited(0));
        yard.engine().release_node(old);
        yard.until_node(old, &NodeSeen::Gone);
        set_network(&mut yard, None);
        assert_eq!((bridges(), rules()), (Vec::new(), Vec::new()));
        assert_eq!(yard.run(id(3), new, "true"), Verdict::Exited(0));
    });
}

#[test]
fn a_node_with_an_address_of_another_network_is_not_started() {
    alone(|| {
        let mut yard = yard();
        let refused = |yard: &Yard, uid, address| {
            let mut plan = yard.node_plan(Uid(uid), None);
            plan.address = address;
            yard.engine().ensure_node(plan);
            yard.until_node(Uid(uid), &NodeSeen::Gone);
            assert!(!yard.folder(Uid(uid)).root().exists());
        };
        refused(&yard, 1, Ipv4Addr::new(127, 16, 0, 1));
        refused(&yard, 2, address(ANOTHER, 0));
        set_network(&mut yard, None);
        refused(&yard, 3, address(SUBNET, 0));
    });
}

#[test]
fn a_bridge_that_somebody_deleted_is_made_again_and_its_rules_go_without_it_too() {
    alone(|| {
        let mut yard = yard();
        let outside = outside();
        let node = node(&yard, 1, address(SUBNET, 0));
        let delete = || ask("ip", &format!("link delete {}", bridges()[0]));
        delete();
        set_network(&mut yard, Some(SUBNET));
        assert_eq!(sees(&yard, 1, node, &outside), MACHINE);
        delete();
        yard.close();
        end_all(&yard.root, PATIENCE).unwrap();
        assert_eq!(rules(), Vec::<String>::new());
    });
}

/// What runs on a bridged node in a container of the runtime, with a word at port 7000 of its neighbour.
fn contained_beside_a_neighbour(yards: &Yards, script: &str, check: impl FnOnce(&Yard, Uid) + Send) {
    alone(|| {
        let yard = on_a_bridge(Yard::with_containers(yards.settings(), true, true), SUBNET);
        let (one, other) = (
            node(&yard, 1, address(SUBNET, 0)),
            node(&yard, 2, address(SUBNET, 1)),
        );
        yard.launch(one, yard.plan(id(2), one, &serve("0.0.0.0", "one")));
        yard.line(id(2), one, "on");
        yard.launch(other, contained(&yard, other, script, IMAGE));
        check(&yard, other);
    });
}

#[test]
fn a_container_on_one_node_reaches_a_port_of_another() {
    let Some(yards) = Yards::podman() else { return };
    let script = format!(
        "[ ! -e /etc/debian_version ] && cat < /dev/tcp/{}/7000",
        address(SUBNET, 0)
    );
    contained_beside_a_neighbour(&yards, &script, |yard, node| {
        assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
        assert_eq!(yard.read(id(1), node, "stdout.txt"), "one");
    });
}

#[test]
fn docker_would_run_a_container_on_the_machines_network_and_does_not() {
    let Some(yards) = Yards::docker() else { return };
    contained_beside_a_neighbour(&yards, "busybox ip address", |yard, node| {
        match yard.verdict(id(1), node) {
            Verdict::NotStarted(error, _) => {
                let why = format!("{error:?}");
                assert!(
                    error.code == "FailedStartingContainer" && why.contains("podman"),
                    "{why}"
                );
            }
            other => panic!("{other:?}: {}", yard.read(id(1), node, "stdout.txt")),
        }
    });
}
