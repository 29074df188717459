//! The rules of iptables that carry the bridge's name: what comes from nodes may go anywhere, under the machine's
//! address; what answers comes back.
//!
//! They stand first in their chains, before whatever refuses the rest. Old and new ones change places in one step, in
//! which no packet finds neither.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;

use trainyard_engine::BRIDGE_PREFIX;
use trainyard_node::isolation::ask;

/// A table, and what stands in it.
struct Table {
    name: &'static str,
    rules: Vec<String>,
}

/// Has those for nodes of these subnets there and no others: none at all without subnets.
pub fn set(bridge: &str, subnets: &BTreeSet<Ipv4Addr>) -> io::Result<()> {
    let found = ask("iptables-save", &[], "")?;
    let change = change(&found, bridge, &wanted(bridge, subnets));
    if change.is_empty() {
        return Ok(());
    }
    ask("iptables-restore", &["--noflush", "-w"], &change).map(drop)
}

fn wanted(bridge: &str, subnets: &BTreeSet<Ipv4Addr>) -> [Table; 2] {
    let named = format!("-m comment --comment {bridge} -j");
    let outward = |subnet: &Ipv4Addr| {
        format!("POSTROUTING -s {subnet}/{BRIDGE_PREFIX} ! -o {bridge} {named} MASQUERADE")
    };
    let passing = [
        format!("FORWARD -i {bridge} {named} ACCEPT"),
        format!("FORWARD -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED {named} ACCEPT"),
    ];
    let nat = Table {
        name: "nat",
        rules: subnets.iter().map(outward).collect(),
    };
    let filter = Table {
        name: "filter",
        rules: if subnets.is_empty() {
            Vec::new()
        } else {
            passing.into()
        },
    };
    [nat, filter]
}

/// What `iptables-restore` has to read so that of what `iptables-save` told the bridge's own rules go, and these come.
fn change(found: &str, bridge: &str, tables: &[Table]) -> String {
    let mut change = String::new();
    for table in tables {
        let own = found
            .lines()
            .skip_while(|line| line.strip_prefix('*') != Some(table.name))
            .take_while(|line| *line != "COMMIT")
            .filter(|line| carries(line, bridge))
            .filter_map(|line| line.strip_prefix("-A "));
        let gone = own.map(|rule| format!("-D {rule}\n"));
        let come = table.rules.iter().map(|rule| format!("-I {rule}\n"));
        let lines: String = gone.chain(come).collect();
        if !lines.is_empty() {
            change += &format!("*{}\n{lines}COMMIT\n", table.name);
        }
    }
    change
}

/// Whether a rule's comment is the bridge's name.
fn carries(line: &str, bridge: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words
        .windows(2)
        .any(|pair| pair[0] == "--comment" && pair[1].trim_matches('"') == bridge)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: &str = "*filter\n:FORWARD DROP [0:0]\n\
        -A FORWARD -i mine -m comment --comment mine -j ACCEPT\n\
        -A FORWARD -i mine -m comment --comment theirs -j DROP\n\
        -A FORWARD -i mine -j DROP\nCOMMIT\n\
        *nat\n-A POSTROUTING -s 10.1.0.0/16 ! -o mine -m comment --comment \"mine\" -j MASQUERADE\nCOMMIT\n";

    #[test]
    fn the_bridges_own_rules_change_places_with_those_wanted() {
        let subnets = [Ipv4Addr::new(10, 2, 0, 0)].into();
        assert_eq!(
            change(FOUND, "mine", &wanted("mine", &subnets)),
            "*nat\n\
             -D POSTROUTING -s 10.1.0.0/16 ! -o mine -m comment --comment \"mine\" -j MASQUERADE\n\
             -I POSTROUTING -s 10.2.0.0/16 ! -o mine -m comment --comment mine -j MASQUERADE\nCOMMIT\n\
             *filter\n\
             -D FORWARD -i mine -m comment --comment mine -j ACCEPT\n\
             -I FORWARD -i mine -m comment --comment mine -j ACCEPT\n\
             -I FORWARD -o mine -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment mine -j ACCEPT\n\
             COMMIT\n"
        );
    }

    #[test]
    fn without_nodes_there_are_none() {
        let none = change(FOUND, "mine", &wanted("mine", &BTreeSet::new()));
        assert_eq!(none.matches("-D ").count(), 2, "{none}");
        assert_eq!(none.matches("-I ").count(), 0, "{none}");
        assert_eq!(change(FOUND, "another", &wanted("another", &BTreeSet::new())), "");
    }
}
