//! A network namespace of a node's own, on a bridge of the machine.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::getpid;
use serde::{Deserialize, Serialize};
use trainyard_domain::ids::Uid;

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
        let link = format!("ty{:012x}", node.0 & 0xffff_ffff_ffff);
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

/// Runs a program of the machine that changes its network, and waits for it: it only asks the kernel.
pub fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the network is set by iproute2 and iptables"
    )]
    let done = Command::new(program).args(arguments).output();
    let words = || format!("{program} {}", arguments.join(" "));
    let done = done.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", words())))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!("{}: {}", words(), said.trim())))
}
