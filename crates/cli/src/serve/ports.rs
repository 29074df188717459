//! The clocks and randomness of a real machine.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use trainyard_server::{Clock, Random};

/// The system's wall clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the server's one wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The system's randomness.
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the server's one source of randomness")]
    fn fill(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            // Ids and tokens would repeat: nothing may go on without randomness.
            tracing::error!("the system gives no random bytes; the server ends");
            std::process::abort();
        }
    }
}

/// A clock for measuring, which begins at 0 now.
pub fn monotonic() -> impl Fn() -> Duration + Send + Sync {
    let start: Instant = crate::clock::instant();
    move || start.elapsed()
}
