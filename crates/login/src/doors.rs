//! The ports at which guests come.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::server::Config;
use russh::{MethodKind, MethodSet, SshId};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinSet};
use trainyard_domain::ids::Uid;

use crate::connection::{Shared, serve};
use crate::flow::WINDOW;
use crate::guest::PACKET;
use crate::host_key::HostKey;
use crate::limits::{Limits, Wrong};
use crate::room::Room;
use crate::yard::Yard;

/// What the server says it is, before anybody has signed in.
const NAME: &str = "SSH-2.0-Trainyard";
/// Pieces of a guest's input that may wait for their channel's task.
const WAITING: usize = 2;
/// How often a guest must show that it is there, and how often it may miss that.
const ALIVE: (Duration, usize) = (Duration::from_secs(30), 4);
/// Pause after a connection that could not be taken, as when there are no descriptors.
const AGAIN: Duration = Duration::from_millis(100);

/// The doors of all nodes.
pub struct Doors {
    shared: Arc<Shared>,
    address: IpAddr,
    ports: RangeInclusive<u16>,
    runtime: Handle,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    doors: BTreeMap<Uid, Door>,
    tasks: JoinSet<()>,
}

struct Door {
    port: u16,
    task: AbortHandle,
}

impl Doors {
    /// No door yet. They will be at `address`, at `ports`.
    pub fn new(
        address: IpAddr,
        ports: RangeInclusive<u16>,
        limits: Limits,
        key: HostKey,
        yard: Arc<dyn Yard>,
        runtime: Handle,
    ) -> Doors {
        let shared = Arc::new(Shared {
            config: Arc::new(config(&limits, key)),
            room: Room::new(limits.waiting_in_all),
            refusals: Mutex::default(),
            tasks: Mutex::default(),
            yard,
            limits,
            wrong: Wrong::default(),
            counts: Arc::default(),
        });
        Doors {
            shared,
            address,
            ports,
            runtime,
            open: Mutex::default(),
        }
    }

    /// Has a door at each of these nodes and at no other: at the port given where that can be had, else at a free one.
    /// Says where they are. Guests of a node that is not named any more are gone.
    pub fn keep(&self, nodes: &[(Uid, Option<u16>)]) -> Vec<(Uid, u16)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = &mut *open;
        open.doors.retain(|node, door| {
            let keep = nodes.iter().any(|(wanted, _)| wanted == node);
            if !keep {
                door.task.abort();
            }
            keep
        });
        while open.tasks.try_join_next().is_some() {}
        // Those first that have had a port before: nobody else must get it.
        let (before, new): (Vec<_>, Vec<_>) = nodes.iter().copied().partition(|(_, port)| port.is_some());
        for (node, port) in before.into_iter().chain(new) {
            if open.doors.contains_key(&node) {
                continue;
            }
            match self.bind(port, &open.doors, nodes) {
                Ok((listener, port)) => {
                    let task = self.start(&mut open.tasks, listener, node);
                    open.doors.insert(node, Door { port, task });
                }
                Err(error) => {
                    let (first, last) = (self.ports.start(), self.ports.end());
                    tracing::error!(%node, %error, "no port of {first} to {last} is free at {}: nobody can log in there", self.address);
                }
            }
        }
        let doors = open.doors.iter();
        doors.map(|(node, door)| (*node, door.port)).collect()
    }

    /// The port that is wanted, or the next that is free and nobody else's.
    fn bind(
        &self,
        wanted: Option<u16>,
        doors: &BTreeMap<Uid, Door>,
        nodes: &[(Uid, Option<u16>)],
    ) -> io::Result<(TcpListener, u16)> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        if let Some(port) = wanted.filter(|port| self.ports.contains(port)) {
            match TcpListener::bind((self.address, port)) {
                Ok(listener) => return Ok((listener, port)),
                Err(error) => {
                    tracing::warn!(port, %error, "the port of a node's login is taken; it gets another");
                    last = error;
                }
            }
        }
        let is_anothers = |port| {
            doors.values().any(|door| door.port == port)
                || nodes.iter().any(|(_, other)| *other == Some(port))
        };
        for port in self.ports.clone().filter(|port| !is_anothers(*port)) {
            match TcpListener::bind((self.address, port)) {
                Ok(listener) => return Ok((listener, port)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start(&self, tasks: &mut JoinSet<()>, listener: TcpListener, node: Uid) -> AbortHandle {
        let shared = Arc::clone(&self.shared);
        let serve = async move {
            let opened = listener.set_nonblocking(true);
            match opened.and_then(|()| tokio::net::TcpListener::from_std(listener)) {
                Ok(listener) => take_guests(listener, node, shared).await,
                Err(error) => tracing::error!(%node, %error, "nobody can log in"),
            }
        };
        tasks.spawn_on(serve, &self.runtime)
    }

    /// Closes all doors; guests are gone. It waits for a disk.
    pub fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.tasks.abort_all();
        open.doors.clear();
        drop(open);
        self.write_refusals();
    }

    /// Writes down now which refusals were counted and not written down yet. It waits for a disk.
    pub fn write_refusals(&self) {
        self.shared.write_rest();
    }
}

/// Takes guests; they are gone with the door.
async fn take_guests(listener: tokio::net::TcpListener, node: Uid, shared: Arc<Shared>) {
    let mut guests = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                while guests.try_join_next().is_some() {}
                guests.spawn(serve(stream, peer, node, Arc::clone(&shared)));
            }
            Err(error) => {
                tracing::warn!(%node, %error, "a login could not be taken");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

fn config(limits: &Limits, HostKey(key): HostKey) -> Config {
    let methods = [MethodKind::PublicKey, MethodKind::Password];
    Config {
        server_id: SshId::Standard(Cow::Borrowed(NAME)),
        methods: MethodSet::from(&methods[..]),
        auth_rejection_time: limits.refusal,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        max_auth_attempts: limits.tries,
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        channel_buffer_size: WAITING,
        // A tunnel may be silent for long; one whose other side is gone is noticed.
        inactivity_timeout: None,
        keepalive_interval: Some(ALIVE.0),
        keepalive_max: ALIVE.1,
        nodelay: true,
        ..Config::default()
    }
}
