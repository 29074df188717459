//! Signals of the node process: a pipe that wakes its loop, and a clean start for what it runs.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGCHLD, SIGTERM};
use signal_hook::{flag, low_level};

/// What signals tell the node.
#[derive(Debug)]
pub struct Signals {
    /// Readable when a signal came.
    pub pipe: UnixStream,
    terminate: Arc<AtomicBool>,
}

impl Signals {
    /// Listens for SIGCHLD and SIGTERM. Signals that the node's starter ignored get a handler that does
    /// nothing, since an ignored signal stays ignored in every process started here, a handled one does not.
    pub fn listen() -> io::Result<Signals> {
        let (pipe, write) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        low_level::pipe::register(SIGCHLD, write.try_clone()?)?;
        low_level::pipe::register(SIGTERM, write)?;
        let terminate = Arc::new(AtomicBool::new(false));
        flag::register(SIGTERM, Arc::clone(&terminate))?;
        for signal in ignored() {
            let forbidden = signal_hook::consts::FORBIDDEN.contains(&signal);
            if !forbidden && let Err(error) = flag::register(signal, Arc::new(AtomicBool::new(false))) {
                crate::say(format_args!("signal {signal} stays ignored in jobs: {error}"));
            }
        }
        Ok(Signals { pipe, terminate })
    }

    /// Whether the node was asked to end.
    pub fn terminate(&self) -> bool {
        self.terminate.load(Ordering::Relaxed)
    }
}

/// Signals that the C library keeps for itself.
const OF_THE_C_LIBRARY: [i32; 2] = [32, 33];

/// Numbers of the signals that this process ignores. The standard library does so with SIGPIPE, and undoes
/// it itself for what it starts.
fn ignored() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    (1..=64)
        .filter(|n| mask & (1 << (n - 1)) != 0 && !OF_THE_C_LIBRARY.contains(n))
        .collect()
}
