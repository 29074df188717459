//! What this machine can hold.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::Ordering;

use rustix::fs::statvfs;
use trainyard_engine::Capacity;

use crate::state::Shared;

/// Measures it now.
pub fn measure(shared: &Shared, ports: usize) -> Capacity {
    Capacity {
        max_nodes: shared.settings.max_nodes,
        gpus: shared.gpus.offered(),
        free_ports: free_ports(shared, ports),
        free_bytes: free_bytes(shared.root()).unwrap_or(0),
    }
}

/// Ports that nobody listens on at any address: a server bound to 0.0.0.0 takes its port on all of them.
/// Each search begins where the last one ended, since a job that was just placed may not listen yet.
fn free_ports(shared: &Shared, wanted: usize) -> Vec<u16> {
    let (first, last) = (*shared.settings.ports.start(), *shared.settings.ports.end());
    let size = u32::from(last.saturating_sub(first)) + 1;
    let mut free = Vec::new();
    for _ in 0..size {
        if free.len() >= wanted {
            break;
        }
        let step = shared.port_cursor.fetch_add(1, Ordering::Relaxed) % size;
        let port = first.saturating_add(u16::try_from(step).unwrap_or(0));
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            free.push(port);
        }
    }
    free
}

/// Bytes free on the file system of a folder, for users without rights.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
