//! Which addresses the machine has other uses for.

use std::net::Ipv4Addr;

use trainyard_engine::BRIDGE_PREFIX;

/// Where the kernel tells its routes. `/proc/net` is the network of the process's first thread.
pub const ROUTES: &str = "/proc/thread-self/net/route";

/// A line of it.
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

/// Who other than `own` has some of the addresses of a subnet. The default route has none of its own.
pub fn overlapping(routes: &str, subnet: Ipv4Addr, own: &str) -> Option<String> {
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
}
