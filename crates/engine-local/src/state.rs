//! What the engine's callers and its thread share.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::NodePaths;
use trainyard_engine::{NodeSeen, Observation};
use trainyard_node::files::Folder;
use trainyard_node::look::OpenFolder;

use crate::bridge::Bridge;
use crate::entry::{Entry, Level};
use crate::gpus::Gpus;
use crate::level::ROOT;
use crate::remote_shell::{self, REMOTE_SHELL, TOOLS};
use crate::settings::{NodeProgram, OpenError, Settings};
use crate::start;

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Everything that changes.
#[derive(Debug, Default)]
pub struct State {
    /// All nodes that are wanted, or whose folder is there.
    pub nodes: BTreeMap<Uid, Entry>,
    /// What nobody has observed yet.
    pub pending: Vec<Observation>,
}

impl State {
    /// A node is not there (any more).
    pub fn report_gone(&mut self, node: Uid) {
        self.pending.push(Observation::Node {
            node,
            seen: NodeSeen::Gone,
        });
    }
}

/// What the engine's callers and its thread share.
pub struct Shared {
    root: PathBuf,
    text_root: String,
    /// Settings.
    pub settings: Settings,
    /// The machine's GPUs.
    pub gpus: Gpus,
    /// The bridge of isolated nodes.
    pub bridge: Bridge,
    /// What to start as a node.
    pub program: NodeProgram,
    /// Where the next search for free ports begins.
    pub port_cursor: AtomicU32,
    state: Mutex<State>,
    wake: Mutex<Option<Wake>>,
    nudge: OwnedFd,
    closed: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Makes the folders, binds the socket, finds the nodes that are there.
    pub fn open(
        root: &Path,
        settings: Settings,
        program: NodeProgram,
    ) -> Result<(Shared, UnixDatagram), OpenError> {
        let unusable = |source| OpenError::Folder {
            folder: root.to_owned(),
            source,
        };
        make_private(&root.join("nodes")).map_err(unusable)?;
        make_private(&root.join("shared")).map_err(unusable)?;
        let root = root.canonicalize().map_err(unusable)?;
        let text_root = root
            .to_str()
            .ok_or_else(|| OpenError::NotText { folder: root.clone() })?
            .to_owned();
        remote_shell::write(&root.join(TOOLS), &program).map_err(unusable)?;
        let nodes = root.join("nodes");
        let socket = OpenFolder::open(&nodes)
            .and_then(|folder| folder.bind())
            .map_err(unusable)?;
        let mut found = start::find(&nodes).map_err(unusable)?;
        for entry in found.values_mut() {
            entry.expect_what_is_told(settings.answer_within);
        }
        let nudge = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| OpenError::Watch(errno.into()))?;
        let subnet = settings.isolation.as_ref().and_then(|isolation| isolation.bridge);
        let bridge = Bridge::of(&root, subnet);
        let guests = found.iter().filter_map(|(node, entry)| entry.guest(*node));
        bridge.ensure(&guests.collect::<Vec<_>>())?;
        let gpus = Gpus::open(&settings.gpus).map_err(OpenError::Watch)?;
        let first = text_root
            .bytes()
            .fold(7_u32, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
        let shared = Shared {
            root,
            text_root,
            settings,
            gpus,
            bridge,
            program,
            port_cursor: AtomicU32::new(first),
            state: Mutex::new(State {
                nodes: found,
                pending: Vec::new(),
            }),
            wake: Mutex::new(None),
            nudge,
            closed: AtomicBool::new(false),
        };
        Ok((shared, socket))
    }

    /// The engine's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of all nodes.
    pub fn nodes(&self) -> PathBuf {
        self.root.join("nodes")
    }

    /// Folder of a node.
    pub fn folder(&self, node: Uid) -> Folder {
        Folder::new(self.nodes().join(node.to_string()))
    }

    /// Where things are on a node: as it was started, or as it would be.
    pub fn paths(&self, node: Uid) -> NodePaths {
        let level = self.state().nodes.get(&node).map(|entry| entry.level.clone());
        let level = level.unwrap_or_else(|| self.level());
        let engine = &self.text_root;
        let (root, tools) = match level {
            Level::Isolated { .. } => (ROOT.to_owned(), format!("{ROOT}/{TOOLS}")),
            Level::Plain => (format!("{engine}/nodes/{node}/root"), format!("{engine}/{TOOLS}")),
        };
        NodePaths {
            mount_root: format!("{root}/mounts"),
            jobs_root: format!("{root}/jobs"),
            shared_root: format!("{engine}/shared"),
            remote_shell: format!("{tools}/{REMOTE_SHELL}"),
            apart: matches!(level, Level::Isolated { .. }),
            share_loopback: !matches!(level, Level::Isolated { network: Some(_) }),
            share_cores: true,
        }
    }

    /// Whether a node that is started now can have this address.
    pub fn can_have(&self, address: Ipv4Addr) -> bool {
        match self.bridge.network() {
            Some(network) => network.holds(address),
            None => address.is_loopback(),
        }
    }

    /// How far a node that is started now is kept apart.
    pub fn level(&self) -> Level {
        match self.settings.isolation {
            Some(_) => Level::Isolated {
                network: self.bridge.network(),
            },
            None => Level::Plain,
        }
    }

    /// Directory of the programs that jobs find on their nodes.
    pub fn tools(&self) -> PathBuf {
        self.root.join(TOOLS)
    }

    /// The state. After a panic it may lag behind the nodes' files, from which it is made again and again.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what to call when there is something to observe, and calls it if there is already.
    pub fn set_wake(&self, wake: Wake) {
        *self.wake.lock().unwrap_or_else(PoisonError::into_inner) = Some(wake);
        if !self.state().pending.is_empty() {
            self.wake();
        }
    }

    /// There is something to observe.
    pub fn wake(&self) {
        let wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(wake) = wake {
            wake();
        }
    }

    /// Has the engine's thread look at all nodes.
    pub fn nudge(&self) {
        let _ = rustix::io::write(&self.nudge, &1_u64.to_ne_bytes());
    }

    /// What [`Shared::nudge`] makes readable.
    pub fn nudged(&self) -> &OwnedFd {
        &self.nudge
    }

    /// The engine is dropped.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.nudge();
    }

    /// Whether the engine is dropped.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Makes a folder that only its owner can enter.
pub fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
