//! The bridge on which isolated nodes have addresses of their own, and their way outward.
//!
//! It is made when the engine opens and found again by the next one, which takes away what is not wanted any more. It
//! goes with the last node ([`crate::end_all`]).

mod routes;
mod rules;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use trainyard_domain::ids::Uid;
use trainyard_engine::BRIDGE_PREFIX;
use trainyard_node::cgroup::fnv;
use trainyard_node::isolation::{Network, ask, run};

use routes::{ROUTES, overlapping};

/// Whether the machine passes packets on.
const FORWARDS: &str = "/proc/sys/net/ipv4/ip_forward";
/// Name of the file in the engine's folder that is there while there may be a bridge or rules.
const MARK: &str = "bridge";

/// Why there is no bridge.
#[derive(Debug, thiserror::Error)]
pub enum NoBridge {
    /// The machine has other uses for these addresses.
    #[error(
        "the addresses {subnet}/{BRIDGE_PREFIX} are used by {device} already; set local.bridge_subnet to others"
    )]
    Taken {
        /// The subnet.
        subnet: Ipv4Addr,
        /// Who uses some of them.
        device: String,
    },
    /// A program failed or is missing.
    #[error(
        "the bridge of the nodes cannot be made; are iproute2 (ip), util-linux (nsenter) and iptables installed?"
    )]
    Program(#[source] io::Error),
}

/// The bridge of the engine in one folder.
#[derive(Debug)]
pub struct Bridge {
    name: String,
    mark: PathBuf,
    subnet: Option<Ipv4Addr>,
}

/// A node that runs, on the network that it was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The node.
    pub node: Uid,
    /// Its network.
    pub network: Network,
}

impl Bridge {
    /// That of the engine in `root`, with the addresses of new nodes in `subnet`.
    pub fn of(root: &Path, subnet: Option<Ipv4Addr>) -> Bridge {
        let hash = fnv(root.as_os_str().as_encoded_bytes());
        Bridge {
            name: format!("trainyard{:06x}", hash & 0xff_ffff),
            mark: root.join(MARK),
            subnet,
        }
    }

    /// What a new node has to know of it.
    pub fn network(&self) -> Option<Network> {
        Some(Network {
            bridge: self.name.clone(),
            gateway: gateway(self.subnet?),
            prefix: BRIDGE_PREFIX,
        })
    }

    /// Makes it as new nodes and those that run need it: what is there already stays, what nobody needs any more goes.
    pub fn ensure(&self, guests: &[Guest]) -> Result<(), NoBridge> {
        let guests = guests.iter().filter(|guest| guest.network.bridge == self.name);
        let guests: Vec<&Guest> = guests.collect();
        let old = guests.iter().map(|guest| guest.network.subnet());
        let subnets: BTreeSet<Ipv4Addr> = self.subnet.into_iter().chain(old).collect();
        if subnets.is_empty() {
            self.remove();
            return Ok(());
        }
        let routes = fs::read_to_string(ROUTES).unwrap_or_default();
        if let Some(subnet) = self.subnet
            && let Some(device) = overlapping(&routes, subnet, &self.name)
        {
            return Err(NoBridge::Taken { subnet, device });
        }
        self.make(&subnets, &guests).map_err(NoBridge::Program)
    }

    fn make(&self, subnets: &BTreeSet<Ipv4Addr>, guests: &[&Guest]) -> io::Result<()> {
        fs::write(&self.mark, &self.name)?;
        let new = !self.exists();
        if new {
            run("ip", &["link", "add", &self.name, "type", "bridge"])?;
        }
        // Without one of its own it has the least of its ports, another one whenever a node comes or goes.
        let set = ["link", "set", "dev", &self.name];
        run("ip", &[&set[..], &["address", &self.mac(), "up"]].concat())?;
        self.set_addresses(subnets)?;
        if new {
            self.take_in(guests);
        }
        if fs::read_to_string(FORWARDS)?.trim() != "1" {
            fs::write(FORWARDS, "1")?;
        }
        rules::set(&self.name, subnets)
    }

    fn set_addresses(&self, subnets: &BTreeSet<Ipv4Addr>) -> io::Result<()> {
        let wanted = subnets
            .iter()
            .map(|subnet| format!("{}/{BRIDGE_PREFIX}", gateway(*subnet)));
        let wanted: BTreeSet<String> = wanted.collect();
        let told = ask("ip", &["-4", "-o", "address", "show", "dev", &self.name], "")?;
        // A line an address: number, device, `inet`, the address.
        let found = told.lines().filter_map(|line| line.split_whitespace().nth(3));
        let found: BTreeSet<String> = found.map(str::to_owned).collect();
        for address in found.difference(&wanted) {
            run("ip", &["address", "delete", address, "dev", &self.name])?;
        }
        for address in wanted.difference(&found) {
            run("ip", &["address", "add", address, "dev", &self.name])?;
        }
        Ok(())
    }

    /// Somebody has deleted the bridge, and their links hang loose.
    fn take_in(&self, guests: &[&Guest]) {
        for guest in guests {
            let link = guest.network.link(guest.node);
            if let Err(error) = run("ip", &["link", "set", &link, "master", &self.name, "up"]) {
                tracing::warn!(node = %guest.node, %error, "a node is not on the bridge and reaches nobody");
            }
        }
    }

    /// Takes away what there is of it.
    pub fn remove(&self) {
        if self.mark.exists()
            && let Err(error) = self.unmake()
        {
            tracing::warn!(bridge = self.name, %error, "the bridge of the nodes, or its rules, stay");
        }
    }

    fn unmake(&self) -> io::Result<()> {
        rules::set(&self.name, &BTreeSet::new())?;
        if self.exists() {
            run("ip", &["link", "delete", &self.name])?;
        }
        fs::remove_file(&self.mark)
    }

    fn exists(&self) -> bool {
        run("ip", &["link", "show", "dev", &self.name]).is_ok()
    }

    /// One that nobody else gives out: locally administered, and of one device.
    fn mac(&self) -> String {
        let [first, rest @ ..] = fnv(self.name.as_bytes()).to_be_bytes();
        let bytes = [&[first & 0xfe | 0x02], &rest[..5]].concat();
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        bytes.join(":")
    }
}

fn gateway(subnet: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(subnet.to_bits() | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let name = |root: &str| Bridge::of(Path::new(root), None).name;
        assert_eq!(name("/a").len(), 15);
        assert_ne!(name("/a"), name("/b"));
    }

    #[test]
    fn each_has_a_mac_of_its_own_that_no_maker_gives_out() {
        let mac = |root: &str| Bridge::of(Path::new(root), None).mac();
        assert_ne!(mac("/a"), mac("/b"));
        for root in ["/a", "/b", "/c", "/d"] {
            let mac = mac(root);
            assert_eq!(mac.len(), 17);
            assert_eq!(u8::from_str_radix(&mac[..2], 16).unwrap() & 3, 2, "{mac}");
        }
    }
}
