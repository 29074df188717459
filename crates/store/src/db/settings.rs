//! How a database is opened.

use std::sync::Arc;
use std::time::Duration;

/// Time since some fixed moment, never running backwards; handed in by `main`.
pub type Monotonic = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Bounds and sizes of an open database; [`Settings::new`] gives what suits a server.
#[derive(Clone)]
pub struct Settings {
    /// Measures commits and bounds batches.
    pub clock: Monotonic,
    /// Read connections open at once, at least 1.
    pub max_readers: usize,
    /// How long another process, or the other readers, may keep a connection waiting.
    pub busy_timeout: Duration,
    /// Page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// Page cache of each reader, in KiB.
    pub reader_cache_kib: u32,
    /// Bytes of the file mapped into memory. 0 by default: a disk error inside a mapping is a signal that
    /// ends the process, outside of it an error that is answered.
    pub mmap_bytes: u64,
    /// Pages in the write-ahead log after which a commit copies them into the database.
    pub checkpoint_pages: u32,
    /// Bytes to which the write-ahead log is cut after a checkpoint.
    pub wal_kept_bytes: u64,
    /// Works committed together at most, at least 1.
    pub max_batch: usize,
    /// Time after which a batch takes no more works.
    pub max_batch_time: Duration,
    /// Works that may wait for the writer; more are refused with [`super::Error::QueueFull`].
    pub max_queue: usize,
}

impl Settings {
    /// The defaults, with the clock given.
    pub fn new(clock: Monotonic) -> Self {
        Self {
            clock,
            max_readers: 8,
            busy_timeout: Duration::from_secs(5),
            writer_cache_kib: 8 * 1024,
            reader_cache_kib: 1024,
            mmap_bytes: 0,
            checkpoint_pages: 2000,
            wal_kept_bytes: 32 * 1024 * 1024,
            max_batch: 512,
            max_batch_time: Duration::from_millis(20),
            max_queue: 8192,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Settings")
            .field("max_readers", &self.max_readers)
            .field("busy_timeout", &self.busy_timeout)
            .field("max_batch", &self.max_batch)
            .field("max_batch_time", &self.max_batch_time)
            .field("max_queue", &self.max_queue)
            .finish_non_exhaustive()
    }
}
