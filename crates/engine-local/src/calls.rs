//! What is wanted of the engine: written down where the node, or the engine's thread, finds it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePlan};
use trainyard_node::files::{self, WantedFile};
use trainyard_node::look::poke;
use trainyard_node::machine::since_boot;

use crate::entry::{Entry, Life};
use crate::start::remove_later;
use crate::state::Shared;

/// Wants a node.
pub fn ensure_node(shared: &Shared, plan: NodePlan) {
    let node = plan.uid;
    let mut state = shared.state();
    match state.nodes.get(&node).map(|entry| &entry.life) {
        None if !shared.can_have(plan.address) => {
            // It was allocated when nodes had another network, and never started: another one takes its place.
            state.report_gone(node);
            drop(state);
            shared.wake();
        }
        None => {
            let life = Life::Wanted {
                plan: Box::new(plan),
                not_before: Duration::ZERO,
            };
            let entry = Entry::new(shared.folder(node), shared.level(), life);
            state.nodes.insert(node, entry);
            drop(state);
            shared.nudge();
        }
        Some(Life::Gone) => {
            state.report_gone(node);
            drop(state);
            shared.wake();
        }
        Some(Life::Wanted { .. } | Life::Running(_) | Life::Sweeping) => {}
    }
}

/// Wants a node away.
pub fn release_node(shared: &Shared, node: Uid) {
    let mut state = shared.state();
    let Some(entry) = state.nodes.get_mut(&node) else {
        state.report_gone(node);
        drop(state);
        return shared.wake();
    };
    if entry.leave_by.is_none() {
        entry.leave_by = Some(since_boot() + shared.settings.leave_within);
        if matches!(entry.life, Life::Running(_)) {
            if let Err(error) = fs::write(entry.folder.leave(), "") {
                // It is killed when its time is over.
                tracing::warn!(%node, %error, "a node could not be told to leave");
            }
            poke(entry.folder.root());
        }
    }
    drop(state);
    shared.nudge();
}

/// Wants an attempt on a node.
pub fn ensure_launched(shared: &Shared, node: Uid, plan: LaunchPlan) {
    let placement = plan.placement;
    let mut state = shared.state();
    match state.nodes.get_mut(&node) {
        None => state.report_gone(node),
        Some(entry) if matches!(entry.life, Life::Gone) => state.report_gone(node),
        Some(entry) => {
            let known = entry.placements.contains_key(&placement) || entry.forgotten.contains(&placement);
            let path = entry.folder.plan(placement);
            // A node that is not started yet has no folder; the call is repeated.
            if known || path.exists() || matches!(entry.life, Life::Wanted { .. } | Life::Sweeping) {
                return;
            }
            let since = since_boot();
            let wanted = WantedFile {
                plan,
                since: Some(since),
            };
            match files::write(&path, &wanted) {
                Ok(()) => {
                    entry.expect(&wanted, since, shared.settings.answer_within);
                    poke(entry.folder.root());
                }
                Err(error) => tracing::error!(%node, %placement, %error, "a launch plan cannot be written"),
            }
            return;
        }
    }
    drop(state);
    shared.wake();
}

/// Wants an attempt stopped.
pub fn ensure_stopped(shared: &Shared, placement: PlacementId, node: Uid) {
    let mut state = shared.state();
    match state.nodes.get_mut(&node) {
        None => state.report_gone(node),
        Some(entry) if matches!(entry.life, Life::Gone) => state.report_gone(node),
        Some(entry) => {
            if matches!(entry.life, Life::Wanted { .. } | Life::Sweeping) {
                return;
            }
            entry.expect_stop(placement, shared.settings.answer_within);
            let path = entry.folder.stop(placement);
            if path.exists() {
                return;
            }
            match fs::write(&path, "") {
                Ok(()) => poke(entry.folder.root()),
                Err(error) => tracing::error!(%node, %placement, %error, "a stop cannot be written"),
            }
            return;
        }
    }
    drop(state);
    shared.wake();
}

/// The end of an attempt is stored. The node need not hear of it at once.
pub fn forget(shared: &Shared, placement: PlacementId, node: Uid) {
    let mut state = shared.state();
    if let Some(entry) = state.nodes.get_mut(&node) {
        entry.due.remove(&placement);
        if entry.placements.remove(&placement).is_some() {
            entry.forgotten.insert(placement);
        }
        for path in [entry.folder.plan(placement), entry.folder.stop(placement)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%node, %placement, %error, "a file of a finished job stays");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
    let still_used = state
        .nodes
        .values()
        .any(|entry| entry.placements.contains_key(&placement) || entry.folder.plan(placement).exists());
    drop(state);
    let directory = shared.root().join("shared").join(placement.to_string());
    if !still_used {
        remove_shared(&directory);
    }
}

/// Most jobs share nothing, and an empty directory needs no thread to go.
fn remove_shared(directory: &Path) {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => remove_later(directory),
        Ok(()) | Err(_) => {}
    }
}
