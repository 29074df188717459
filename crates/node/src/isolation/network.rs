//! A network namespace of a node's own, on a bridge of the machine.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::getpid;
use serde::{Deserialize, Serialize};
use trainyard_domain::ids::Uid;

use super::program::run;
use crate::cgroup::fnv;

/// The bridge that a node is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Its name on the machine.
    pub bridge: String,
    /// The machine's address on it, by which everything else is reached.
    pub gateway: Ipv4Addr,
    /// How many bits of an address all nodes share.
    pub prefix: u8,
}

impl Network {
    /// Name of the machine's end of a node's link. Two servers may number their nodes alike.
    pub fn link(&self, node: Uid) -> String {
        let hash = fnv(format!("{} {node}", self.bridge).as_bytes());
        format!("ty{:012x}", hash & 0xffff_ffff_ffff)
    }

    /// The first of the addresses, which nobody has.
    pub fn subnet(&self) -> Ipv4Addr {
        self.first_like(self.gateway)
    }

    /// Whether this is one of the addresses.
    pub fn holds(&self, address: Ipv4Addr) -> bool {
        self.first_like(address) == self.subnet()
    }

    fn first_like(&self, address: Ipv4Addr) -> Ipv4Addr {
        let own = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
        Ipv4Addr::from_bits(address.to_bits() & !own)
    }

    /// Moves this process into a network namespace of its own, in which the node has `address`. The link to the bridge
    /// goes with the namespace. Call it where processes still are counted as the machine counts them: programs of the
    /// machine are started.
    pub fn join(&self, node: Uid, address: Ipv4Addr) -> io::Result<()> {
        let machine = open(
            "/proc/self/ns/net",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let me = getpid().as_raw_pid().to_string();
        let outside = format!("--net=/proc/{me}/fd/{}", machine.as_raw_fd());
        let link = self.link(node);
        let there = |words: &[&str]| run("nsenter", &[&[outside.as_str(), "ip", "link"], words].concat());
        there(&["add", &link, "type", "veth", "peer", "name", INSIDE, "netns", &me])?;
        there(&["set", &link, "master", &self.bridge, "up"])?;
        run(
            "ip",
            &[
                "address",
                "add",
                &format!("{address}/{}", self.prefix),
                "dev",
                INSIDE,
            ],
        )?;
        run("ip", &["link", "set", INSIDE, "up"])?;
        run("ip", &["link", "set", "lo", "up"])?;
        run(
            "ip",
            &["route", "add", "default", "via", &self.gateway.to_string()],
        )
    }
}

/// Name of the node's end of its link.
const INSIDE: &str = "eth0";
