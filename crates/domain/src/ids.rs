//! Identities that the service gives out itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Identity of one resource for ever: a name used again is a new resource with a new uid.
///
/// The number is the creation time in milliseconds since 2020-01-01 UTC shifted left by 20 bits, plus a
/// counter. It grows with creation order, so lists page by it, and it is never given out twice, not even
/// after a restore of an older backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uid(pub i64);

impl Uid {
    /// Milliseconds between the Unix epoch and 2020-01-01 UTC.
    const EPOCH_MILLIS: i64 = 1_577_836_800_000;
    const COUNTER_BITS: u32 = 20;

    /// The uid after `last` at the time `now`: larger than `last` even if the clock went back.
    pub fn next(last: Uid, now: jiff::Timestamp) -> Uid {
        let from_clock = (now.as_millisecond() - Self::EPOCH_MILLIS).max(0) << Self::COUNTER_BITS;
        Uid(from_clock.max(last.0 + 1))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which try at running a job this is: 0 before the first, and never the same number twice for one job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(pub i64);

impl Attempt {
    /// The next attempt, above `floor` too: a restore raises the floor, so that numbers given out after
    /// the backup was taken never repeat.
    pub fn next(self, floor: Attempt) -> Attempt {
        Attempt(self.0.max(floor.0) + 1)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One attempt of one job: the key by which engines are idempotent and late reports are fenced off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlacementId {
    /// The job.
    pub job: Uid,
    /// Its attempt.
    pub attempt: Attempt,
}

impl fmt::Display for PlacementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.job, self.attempt)
    }
}

impl std::str::FromStr for PlacementId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (job, attempt) = text.split_once('-').unwrap_or((text, ""));
        Ok(PlacementId {
            job: Uid(job.parse()?),
            attempt: Attempt(attempt.parse()?),
        })
    }
}

/// Identity of a GPU: its UUID as NVML tells it, such as `GPU-8932f937-d72c-4106-c12f-20bd9faed9f6`. It stays
/// the same over restarts, and CUDA_VISIBLE_DEVICES takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GpuId(pub String);

impl fmt::Display for GpuId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_grow_even_when_the_clock_goes_back() {
        let now = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let first = Uid::next(Uid(0), now);
        let second = Uid::next(first, now);
        let third = Uid::next(second, jiff::Timestamp::from_second(1_700_000_000).unwrap());
        assert!(first < second && second < third);
    }

    #[test]
    fn an_attempt_is_above_its_floor() {
        assert_eq!(Attempt(2).next(Attempt(0)), Attempt(3));
        assert_eq!(Attempt(2).next(Attempt(1000)), Attempt(1001));
    }

    #[test]
    fn placement_ids_print_and_parse() {
        let id = PlacementId {
            job: Uid(12),
            attempt: Attempt(3),
        };
        assert_eq!(id.to_string().parse::<PlacementId>().unwrap(), id);
        assert!("12".parse::<PlacementId>().is_err());
    }
}
