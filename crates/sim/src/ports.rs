//! Clock and randomness of the simulation.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use trainyard_server::{Clock, Random};

use crate::rng::Rng;

/// 2026-01-01 UTC, when every run begins.
const BEGIN: i64 = 1_767_225_600_000;

/// The simulated time.
pub struct SimClock(AtomicI64);

impl SimClock {
    /// The begin of time.
    pub fn new() -> SimClock {
        SimClock(AtomicI64::new(BEGIN))
    }

    /// Lets time pass.
    pub fn pass(&self, millis: i64) {
        self.0.fetch_add(millis.max(0), Ordering::Relaxed);
    }

    /// Milliseconds since the begin.
    pub fn elapsed(&self) -> i64 {
        self.0.load(Ordering::Relaxed) - BEGIN
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
    }
}

/// Seeded randomness for the server.
pub struct SimRandom(Mutex<Rng>);

impl SimRandom {
    /// From a stream.
    pub fn new(rng: Rng) -> SimRandom {
        SimRandom(Mutex::new(rng))
    }
}

impl Random for SimRandom {
    fn fill(&self, buffer: &mut [u8]) {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            let bytes = rng.number().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
