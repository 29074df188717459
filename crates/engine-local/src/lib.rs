//! The local engine: nodes are processes of this machine.
//!
//! Each node has a folder `nodes/{uid}` below the engine's root; what is wanted of it is written there, what
//! became of it is read there (see `trainyard_node::files`). So nodes outlive the engine, and the next engine
//! finds them again. The folder of a node that died stays, until it is released, so that nothing is ever
//! started under its uid a second time.
//!
//! Calls of [`Engine`] touch small files at most. A thread of the engine's own starts nodes, watches them
//! and ends what they left.

mod bridge;
mod calls;
mod capacity;
mod due;
mod end;
mod entry;
mod gpus;
mod last_words;
mod level;
mod limits;
pub mod litter;
mod overdue;
mod remote_shell;
mod settings;
mod start;
mod state;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePaths, NodePlan};
use trainyard_engine::{Capacity, Engine, Observation};

pub use bridge::NoBridge;
pub use capacity::free_bytes;
pub use end::{EndError, end_all};
pub use gpus::gpus_here;
pub use level::{NotIsolated, isolation_here};
pub use settings::{GpuSource, IsolationSettings, NodeProgram, OpenError, Settings};
pub use start::container_store;
pub use trainyard_node::isolation::{Account, NoAccount};

use crate::state::Shared;

/// Runs jobs on this machine.
#[derive(Debug)]
pub struct LocalEngine {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LocalEngine {
    /// Opens the engine in the folder `root`, which is made if missing, and finds the nodes that run there.
    /// One engine may be open in a folder at a time; the caller sees to that.
    pub fn open(
        root: &std::path::Path,
        settings: Settings,
        program: NodeProgram,
    ) -> Result<LocalEngine, OpenError> {
        if settings.cgroups {
            trainyard_node::cgroup::prepare();
        }
        if settings.limits {
            limits::say();
        }
        let (shared, socket) = Shared::open(root, settings, program)?;
        let shared = Arc::new(shared);
        let thread = watch::start(Arc::clone(&shared), socket)?;
        Ok(LocalEngine {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Starts and ends no more nodes from now on; those that are there go on. Call it before [`end_all`].
    pub fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// Nodes go on.
impl Drop for LocalEngine {
    fn drop(&mut self) {
        self.close();
    }
}

impl Engine for LocalEngine {
    fn ensure_node(&self, plan: NodePlan) {
        calls::ensure_node(&self.shared, plan);
    }

    fn release_node(&self, node: Uid) {
        calls::release_node(&self.shared, node);
    }

    fn ensure_launched(&self, plans: Vec<(Uid, LaunchPlan)>) {
        for (node, plan) in plans {
            calls::ensure_launched(&self.shared, node, plan);
        }
    }

    fn ensure_stopped(&self, placement: PlacementId, nodes: &[Uid]) {
        for node in nodes {
            calls::ensure_stopped(&self.shared, placement, *node);
        }
    }

    fn forget(&self, placement: PlacementId, node: Uid) {
        calls::forget(&self.shared, placement, node);
    }

    fn observe(&self) -> Vec<Observation> {
        std::mem::take(&mut self.shared.state().pending)
    }

    fn observe_all(&self) -> Vec<Observation> {
        let state = self.shared.state();
        state
            .nodes
            .iter()
            .flat_map(|(uid, entry)| entry.all(*uid))
            .collect()
    }

    fn last_words(&self, node: Uid) -> Option<String> {
        last_words::read(&self.shared.folder(node))
    }

    fn paths(&self, node: Uid) -> NodePaths {
        self.shared.paths(node)
    }

    fn capacity(&self, ports: usize) -> Capacity {
        capacity::measure(&self.shared, ports)
    }

    fn on_change(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        self.shared.set_wake(wake);
    }
}
