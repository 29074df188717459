//! The bridge on which isolated nodes have addresses of their own, and their way outward.
//!
//! It is made when the engine opens and found again by the next one. It goes with the last node ([`crate::end_all`]).

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use trainyard_engine::BRIDGE_PREFIX;
use trainyard_node::cgroup::fnv;
use trainyard_node::isolation::{Network, run};

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
    subnet: Option<Ipv4Addr>,
}

impl Bridge {
    /// That of the engine in `root`, with the nodes' addresses in `subnet`.
    pub fn of(root: &Path, subnet: Option<Ipv4Addr>) -> Bridge {
        let hash = fnv(root.as_os_str().as_encoded_bytes());
        Bridge {
            name: format!("trainyard{:06x}", hash & 0xff_ffff),
            subnet,
        }
    }

    /// What a node has to know of it.
    pub fn network(&self) -> Option<Network> {
        Some(Network {
            bridge: self.name.clone(),
            gateway: gateway(self.subnet?),
            prefix: BRIDGE_PREFIX,
        })
    }

    /// Makes it, if it is wanted; what is there already stays.
    pub fn ensure(&self) -> Result<(), NoBridge> {
        let Some(subnet) = self.subnet else { return Ok(()) };
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        if let Some(device) = overlapping(&routes, subnet, &self.name) {
            return Err(NoBridge::Taken { subnet, device });
        }
        self.make(subnet).map_err(NoBridge::Program)
    }

    fn make(&self, subnet: Ipv4Addr) -> io::Result<()> {
        if !self.device().exists() {
            run("ip", &["link", "add", &self.name, "type", "bridge"])?;
        }
        let address = format!("{}/{BRIDGE_PREFIX}", gateway(subnet));
        run("ip", &["address", "replace", &address, "dev", &self.name])?;
        run("ip", &["link", "set", &self.name, "up"])?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        for rule in self.rules(&format!("{subnet}/{BRIDGE_PREFIX}")) {
            if table("-C", &rule).is_err() {
                table("-A", &rule)?;
            }
        }
        Ok(())
    }

    /// Takes it away, if it is there.
    pub fn remove(&self) -> io::Result<()> {
        if !self.device().exists() {
            return Ok(());
        }
        let subnet = self.subnet_of_rules();
        for rule in self.rules(&subnet) {
            while table("-D", &rule).is_ok() {}
        }
        run("ip", &["link", "delete", &self.name])
    }

    /// Each with its table first. What comes from nodes may go anywhere, under the machine's address; what answers comes
    /// back.
    fn rules(&self, subnet: &str) -> Vec<Vec<String>> {
        let name = &self.name;
        let lines = [
            format!("nat POSTROUTING -s {subnet} ! -o {name} -m comment --comment {name} -j MASQUERADE"),
            format!("filter FORWARD -i {name} -m comment --comment {name} -j ACCEPT"),
            format!(
                "filter FORWARD -o {name} -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment {name} -j ACCEPT"
            ),
        ];
        let words = lines
            .iter()
            .map(|line| line.split(' ').map(str::to_owned).collect());
        words.collect()
    }

    /// The subnet may have been another one when the rules were made: the bridge's address tells.
    fn subnet_of_rules(&self) -> String {
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        let own = routes
            .lines()
            .filter_map(Route::of)
            .find(|route| route.device == self.name);
        let subnet = own.map(|route| route.destination).or(self.subnet);
        format!("{}/{BRIDGE_PREFIX}", subnet.unwrap_or(Ipv4Addr::UNSPECIFIED))
    }

    fn device(&self) -> PathBuf {
        Path::new("/sys/class/net").join(&self.name)
    }
}

fn gateway(subnet: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(subnet.to_bits() | 1)
}

fn table(action: &str, rule: &[String]) -> io::Result<()> {
    let Some((table, rule)) = rule.split_first() else {
        return Ok(());
    };
    let mut words = vec!["-w", "-t", table, action];
    words.extend(rule.iter().map(String::as_str));
    run("iptables", &words)
}

/// A line of `/proc/net/route`.
struct Route {
    device: String,
    destination: Ipv4Addr,
    mask: u32,
}

impl Route {
    fn of(line: &str) -> Option<Route> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| Some(u32::from_str_radix(fields.get(at)?, 16).ok()?.swap_bytes());
        Some(Route {
            device: (*fields.first()?).to_owned(),
            destination: Ipv4Addr::from_bits(number(1)?),
            mask: number(7)?,
        })
    }
}

/// Who else has some of these addresses. The default route has none of its own.
fn overlapping(routes: &str, subnet: Ipv4Addr, own: &str) -> Option<String> {
    let ours = u32::MAX << (32 - u32::from(BRIDGE_PREFIX));
    let mut routes = routes.lines().filter_map(Route::of);
    let found = routes.find(|route| {
        let common = route.mask & ours;
        route.mask != 0
            && route.device != own
            && (route.destination.to_bits() ^ subnet.to_bits()) & common == 0
    });
    found.map(|route| route.device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_uses_of_the_addresses_are_seen() {
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
                      eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\n\
                      eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n\
                      mine\t0000C70A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
        let found = |subnet: [u8; 4], own| overlapping(routes, subnet.into(), own);
        assert_eq!(found([10, 199, 0, 0], "mine"), None);
        assert_eq!(found([10, 199, 0, 0], "other").as_deref(), Some("mine"));
        assert_eq!(found([10, 0, 0, 0], "mine").as_deref(), Some("eth0"));
        assert_eq!(found([10, 1, 0, 0], "mine"), None);
    }

    #[test]
    fn names_fit_and_differ() {
        let name = |root: &str| Bridge::of(Path::new(root), None).name;
        assert_eq!(name("/a").len(), 15);
        assert_ne!(name("/a"), name("/b"));
    }
}
