//! The engine's thread: starts nodes, reads what they say, notices their death, ends what they left.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_engine::{NodeSeen, Observation};
use trainyard_node::look::drain;
use trainyard_node::machine::since_boot;

use crate::end::end_rest;
use crate::entry::{Entry, Life, Process};
use crate::settings::OpenError;
use crate::start::{self, DISCARDED, read_status};
use crate::state::Shared;

/// How often all nodes are looked at, in case one could not say that something changed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause between looks for what a dead node left.
const SWEEP_EVERY: Duration = Duration::from_millis(10);
/// Pause before a node that could not be started is tried again.
const START_AGAIN: Duration = Duration::from_secs(1);

/// Starts the thread.
pub fn start(shared: Arc<Shared>, socket: UnixDatagram) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new()
        .name("local-engine".to_owned())
        .spawn(move || {
            // Without this thread no node is seen any more while the server goes on answering; the next one
            // finds all nodes again.
            if catch_unwind(AssertUnwindSafe(|| watch(&shared, &socket))).is_err() {
                tracing::error!("the watch of the local engine panicked; the server ends, nodes go on");
                std::process::abort();
            }
        })
        .map_err(OpenError::Watch)
}

fn watch(shared: &Shared, socket: &UnixDatagram) {
    let mut look_at_all = since_boot();
    while !shared.is_closed() {
        let now = since_boot();
        let named = drain(socket);
        let everyone = now >= look_at_all;
        if everyone {
            look_at_all = now + LOOK_EVERY;
        }
        let (news, next, processes) = turn(shared, &named, everyone, now);
        if news {
            shared.wake();
        }
        sleep(
            shared,
            socket,
            &processes,
            next.min(look_at_all).saturating_sub(since_boot()),
        );
    }
}

/// Goes over all nodes once. Says whether there is something to observe, when to come again, and what to
/// wait for.
fn turn(shared: &Shared, named: &[Vec<u8>], everyone: bool, now: Duration) -> (bool, Duration, Vec<Process>) {
    let told: Vec<Uid> = named.iter().filter_map(|text| parse(text)).collect();
    let uids: Vec<Uid> = shared.state().nodes.keys().copied().collect();
    let (mut news, mut next, mut processes) = (false, now + LOOK_EVERY, Vec::new());
    for node in uids {
        let look = everyone || told.contains(&node);
        let turned = step(shared, node, look, now);
        news |= turned.news;
        if let Some(at) = turned.again_at {
            next = next.min(at);
        }
        processes.extend(turned.process);
    }
    (news, next, processes)
}

fn parse(text: &[u8]) -> Option<Uid> {
    std::str::from_utf8(text).ok()?.parse().ok().map(Uid)
}

#[derive(Default)]
struct Turned {
    news: bool,
    again_at: Option<Duration>,
    process: Option<Process>,
}

/// Goes on with one node. The state is locked for moments only, never while something is started or killed.
fn step(shared: &Shared, node: Uid, look: bool, now: Duration) -> Turned {
    let mut state = shared.state();
    let Some(entry) = state.nodes.get_mut(&node) else {
        return Turned::default();
    };
    let leaving = entry.leave_by;
    match &entry.life {
        Life::Wanted { .. } if leaving.is_some() => {
            entry.life = Life::Sweeping;
            drop(state);
            sweep_up(shared, node, now)
        }
        Life::Wanted { plan, not_before } if now >= *not_before => {
            let (folder, plan) = (entry.folder.clone(), plan.clone());
            drop(state);
            let started = start::start(&folder, &plan, shared);
            settle_start(shared, node, started, now)
        }
        Life::Wanted { not_before, .. } => Turned {
            again_at: Some(*not_before),
            ..Turned::default()
        },
        Life::Running(process) => {
            let process = process.clone();
            if has_ended(&process) {
                entry.life = Life::Sweeping;
                drop(state);
                return sweep_up(shared, node, now);
            }
            if leaving.is_some_and(|by| now >= by) {
                let _ = pidfd_send_signal(&process.handle, Signal::KILL);
            }
            let mut news = if look { read(entry, node) } else { Vec::new() };
            let (overdue, next) = entry.overdue(now, shared.settings.answer_within);
            if !overdue.is_empty() {
                // Its end may be written already, and not heard of.
                news.extend(read(entry, node));
                kill_for(overdue, entry, node, &process);
            }
            let any = !news.is_empty();
            state.pending.extend(news);
            Turned {
                news: any,
                again_at: leaving.filter(|by| *by > now).into_iter().chain(next).min(),
                process: Some(process),
            }
        }
        Life::Sweeping => {
            drop(state);
            sweep_up(shared, node, now)
        }
        Life::Gone if leaving.is_some() => {
            bury(shared, &entry.folder.clone());
            state.nodes.remove(&node);
            state.report_gone(node);
            Turned {
                news: true,
                ..Turned::default()
            }
        }
        Life::Gone => Turned::default(),
    }
}

/// Kills a node that has not ended these attempts in time.
fn kill_for(overdue: Vec<PlacementId>, entry: &Entry, node: Uid, process: &Process) {
    for placement in overdue {
        if entry.due.contains_key(&placement) {
            tracing::error!(%node, %placement, "a node has not ended a job in time and shows no sign of life; it is killed");
            let _ = pidfd_send_signal(&process.handle, Signal::KILL);
        }
    }
}

fn settle_start(shared: &Shared, node: Uid, started: io::Result<Process>, now: Duration) -> Turned {
    let mut state = shared.state();
    let Some(entry) = state.nodes.get_mut(&node) else {
        return Turned::default();
    };
    match started {
        Ok(process) => {
            entry.life = Life::Running(process.clone());
            if entry.leave_by.is_some() {
                // It was released while it started: a node that has no plans leaves at once.
                let _ = pidfd_send_signal(&process.handle, Signal::KILL);
            }
            Turned {
                process: Some(process),
                ..Turned::default()
            }
        }
        Err(error) => {
            tracing::error!(%node, %error, "a node cannot be started; it will be tried again");
            if let Life::Wanted { not_before, .. } = &mut entry.life {
                *not_before = now + START_AGAIN;
            }
            Turned {
                again_at: Some(now + START_AGAIN),
                ..Turned::default()
            }
        }
    }
}

fn read(entry: &mut Entry, node: Uid) -> Vec<Observation> {
    match read_status(&entry.folder) {
        Some(status) if entry.status.as_ref() != Some(&status) => entry.absorb(node, status),
        Some(_) | None => Vec::new(),
    }
}

/// Whether the process has ended; takes note of it if it is our child.
fn has_ended(process: &Process) -> bool {
    let mut descriptors = [PollFd::new(&*process.handle, PollFlags::IN)];
    let ended = poll(&mut descriptors, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
    if ended && let Some(child) = &process.child {
        let _ = child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
    ended
}

/// Ends what a dead node left. Only when nothing is left, its last words and its death are reported.
fn sweep_up(shared: &Shared, node: Uid, now: Duration) -> Turned {
    let known = shared
        .state()
        .nodes
        .get(&node)
        .map(|entry| (entry.folder.clone(), entry.status.clone()));
    let Some((folder, last)) = known else {
        return Turned::default();
    };
    let status = read_status(&folder);
    // The folder may be gone; what the node said before still tells where its processes are.
    if !end_rest(&folder, status.as_ref().or(last.as_ref())) {
        return Turned {
            again_at: Some(now + SWEEP_EVERY),
            ..Turned::default()
        };
    }
    let mut state = shared.state();
    let Some(entry) = state.nodes.get_mut(&node) else {
        return Turned::default();
    };
    let mut news = match status {
        Some(status) if entry.status.as_ref() != Some(&status) => entry.absorb(node, status),
        Some(_) | None => Vec::new(),
    };
    news.extend(entry.end_overdue(node, now));
    entry.life = Life::Gone;
    entry.seen = NodeSeen::Gone;
    news.push(Observation::Node {
        node,
        seen: NodeSeen::Gone,
    });
    if entry.leave_by.is_some() {
        bury(shared, &entry.folder.clone());
        state.nodes.remove(&node);
    }
    state.pending.extend(news);
    Turned {
        news: true,
        ..Turned::default()
    }
}

/// Takes a node's folder away: out of sight at once, deleted in its own time.
fn bury(shared: &Shared, folder: &trainyard_node::files::Folder) {
    let Some(name) = folder.root().file_name().and_then(|name| name.to_str()) else {
        return;
    };
    let grave = shared.nodes().join(format!("{DISCARDED}{name}"));
    match std::fs::rename(folder.root(), &grave) {
        Ok(()) => start::remove_later(&grave),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::error!(folder = name, %error, "a node's folder cannot be taken away"),
    }
}

fn sleep(shared: &Shared, socket: &UnixDatagram, processes: &[Process], time: Duration) {
    let mut descriptors = vec![
        PollFd::new(socket, PollFlags::IN),
        PollFd::new(shared.nudged(), PollFlags::IN),
    ];
    descriptors.extend(processes.iter().map(|p| PollFd::new(&*p.handle, PollFlags::IN)));
    let timeout = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    let _ = poll(&mut descriptors, Some(&timeout));
    let _ = rustix::io::read(shared.nudged(), &mut [0_u8; 8]);
}
