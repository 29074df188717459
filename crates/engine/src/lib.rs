//! What runs jobs: the [`Engine`] trait, what an engine observes, and a scriptable fake.
//!
//! The server tells an engine what is wanted, as often as it likes: every call is idempotent, returns at
//! once and never waits for the world. What became of it comes back as [`Observation`]s.

pub mod conformance;
pub mod fake;

use std::sync::Arc;

use trainyard_domain::ids::{GpuId, PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePaths, NodePlan};
use trainyard_domain::state::{BatchAiError, Verdict};

/// What runs jobs.
pub trait Engine: Send + Sync {
    /// The node is wanted: start it, or find it running.
    fn ensure_node(&self, plan: NodePlan);

    /// The node is not wanted: end it and all that it runs. `Gone` is observed when nothing is left.
    fn release_node(&self, node: Uid);

    /// The attempt is wanted on these nodes: start it there, or find it. Each node starts it at most once.
    fn ensure_launched(&self, plans: Vec<(Uid, LaunchPlan)>);

    /// The attempt is not wanted any more: SIGTERM, its grace, SIGKILL. `Ended` is observed when nothing
    /// of it is left on a node. An attempt that the node has never seen ends as `Stopped` and can then not
    /// be started there any more. A node that does not end it in time is itself ended by the engine.
    fn ensure_stopped(&self, placement: PlacementId, nodes: &[Uid]);

    /// The end of the attempt on this node is stored: it need not be remembered.
    fn forget(&self, placement: PlacementId, node: Uid);

    /// What has changed since the last call.
    fn observe(&self) -> Vec<Observation>;

    /// All that is there now, things included that the server does not know.
    fn observe_all(&self) -> Vec<Observation>;

    /// What a node that is gone said last, if that is known: a few lines, for people. It may read a file.
    fn last_words(&self, _node: Uid) -> Option<String> {
        None
    }

    /// Where things are on a node.
    fn paths(&self, node: Uid) -> NodePaths;

    /// What the engine can hold; with `ports` free ports, or fewer if there are not so many.
    fn capacity(&self, ports: usize) -> Capacity;

    /// Has `wake` called whenever there is something to observe.
    fn on_change(&self, wake: Arc<dyn Fn() + Send + Sync>);
}

/// What an engine can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Most nodes at once.
    pub max_nodes: u32,
    /// GPUs of the machine, those that nodes have included; neighbours stand beside each other.
    pub gpus: Vec<GpuId>,
    /// Ports that are free on every node now, for jobs to be placed.
    pub free_ports: Vec<u16>,
    /// Bytes free where jobs and outputs are kept.
    pub free_bytes: u64,
}

/// What an engine saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// Of a node.
    Node {
        /// The node.
        node: Uid,
        /// What was seen.
        seen: NodeSeen,
    },
    /// Of an attempt on a node.
    Placement {
        /// The node.
        node: Uid,
        /// The attempt.
        placement: PlacementId,
        /// What was seen.
        seen: PlacementSeen,
    },
}

/// What was seen of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeSeen {
    /// Mounts or setup task.
    Preparing,
    /// It takes jobs.
    Ready,
    /// Its setup failed.
    SetupFailed(Vec<BatchAiError>),
    /// It is gone, wanted or not, and nothing that it ran is left.
    Gone,
}

/// What was seen of an attempt on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacementSeen {
    /// It has begun.
    Active,
    /// All its processes that decide have ended with 0; others go on until it is stopped.
    Decided,
    /// It is over and nothing of it is left running there.
    Ended(Verdict),
}

/// How many bits of their addresses nodes on a bridge share.
pub const BRIDGE_PREFIX: u8 = 16;
/// Most nodes on a bridge: the ports that a bridge of Linux has.
pub const BRIDGE_NODES: u32 = 1023;

/// The addresses that nodes can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addresses {
    /// Loopback addresses of the machine.
    #[default]
    Loopback,
    /// Those of a bridge with this subnet, from its fifth one on.
    Bridge(std::net::Ipv4Addr),
}

impl Addresses {
    /// The subnet, the machine and two more, as on a network of the original service.
    const FIRST: u32 = 4;

    /// How many there are.
    pub fn count(self) -> u32 {
        match self {
            Addresses::Loopback => HOSTS * NETS,
            // The last is everybody's.
            Addresses::Bridge(_) => (1 << (32 - BRIDGE_PREFIX)) - Self::FIRST - 1,
        }
    }

    /// The `n`-th of them; they repeat.
    pub fn nth(self, n: u32) -> std::net::Ipv4Addr {
        match self {
            Addresses::Loopback => node_address(n),
            Addresses::Bridge(subnet) => {
                std::net::Ipv4Addr::from_bits(subnet.to_bits() + Self::FIRST + n % self.count())
            }
        }
    }
}

/// Loopback addresses of nodes: those of a net whose last number is neither 0 nor 255.
const HOSTS: u32 = 254;
/// Nets with loopback addresses of nodes.
const NETS: u32 = 240 * 256;

/// The `n`-th address that a node of this machine can have: a loopback address of its own, 127.16.0.1 and
/// up. They repeat after some 15 million.
pub fn node_address(n: u32) -> std::net::Ipv4Addr {
    let n = n % (HOSTS * NETS);
    let (net, host) = (n / HOSTS, n % HOSTS);
    let [_, _, high, low] = net.to_be_bytes();
    std::net::Ipv4Addr::new(127, 16 + high, low, 1 + u8::try_from(host).unwrap_or(0))
}

impl Observation {
    /// The node it is about.
    pub fn node(&self) -> Uid {
        match self {
            Observation::Node { node, .. } | Observation::Placement { node, .. } => *node,
        }
    }
}
