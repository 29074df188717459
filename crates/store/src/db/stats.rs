//! What the writer did, counted for `/metrics`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds (inclusive) of the batch size buckets, in works.
pub const BATCH_BOUNDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Upper bounds (inclusive) of the commit time buckets, in seconds.
pub const COMMIT_BOUNDS: &[f64] = &[
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0,
];

/// Observations sorted into buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Upper bound (inclusive) of each bucket but the last, ascending.
    pub bounds: &'static [f64],
    /// Observations in each bucket, not cumulated; the last one, beyond all bounds, has no bound.
    pub counts: Vec<u64>,
    /// Sum of all observations.
    pub sum: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }

    /// Number of observations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The writer's counters since the database was opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Batches committed.
    pub commits: u64,
    /// Batches undone because the database could not store them.
    pub failed_batches: u64,
    /// Works answered, whatever the answer.
    pub works: u64,
    /// Works that refused themselves.
    pub refused: u64,
    /// Works waiting at this moment.
    pub queued: usize,
    /// Works of each committed batch.
    pub batch_sizes: Histogram,
    /// Seconds each commit took: the write and its sync.
    pub commit_seconds: Histogram,
}

impl Stats {
    fn new() -> Self {
        Self {
            commits: 0,
            failed_batches: 0,
            works: 0,
            refused: 0,
            queued: 0,
            batch_sizes: Histogram::new(BATCH_BOUNDS),
            commit_seconds: Histogram::new(COMMIT_BOUNDS),
        }
    }
}

/// The counters in the making.
pub(super) struct Recorder(Mutex<Stats>);

impl Recorder {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Stats::new()))
    }

    pub(super) fn committed(&self, works: usize, refused: usize, took: Duration) {
        let mut stats = self.lock();
        stats.commits += 1;
        stats.works += works as u64;
        stats.refused += refused as u64;
        stats.batch_sizes.observe(works as f64);
        stats.commit_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn failed(&self, works: usize) {
        let mut stats = self.lock();
        stats.failed_batches += 1;
        stats.works += works as u64;
    }

    pub(super) fn snapshot(&self, queued: usize) -> Stats {
        Stats {
            queued,
            ..self.lock().clone()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_the_last_bucket_takes_the_rest() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 2.0, 2.5, 100.0] {
            histogram.observe(value);
        }
        assert_eq!(histogram.counts, [2, 2, 2]);
        assert_eq!((histogram.count(), histogram.sum), (6, 107.5));
    }
}
