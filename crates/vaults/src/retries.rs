//! How often a vault is asked again.

use std::time::Duration;

/// A policy of retries: so many tries, with waits between that double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// All tries, the first included.
    pub tries: u32,
    /// The wait after the first.
    pub first_wait: Duration,
}

impl Retries {
    /// For key vaults: a service that is restarted, a limit of calls that is reached for a moment.
    pub const KEY_VAULT: Retries = Retries {
        tries: 3,
        first_wait: Duration::from_secs(1),
    };

    /// How long to wait after the try of this number, counted from 1; `None` when it was the last.
    pub fn wait_after(self, attempt: u32) -> Option<Duration> {
        (attempt < self.tries).then(|| self.first_wait * 2_u32.saturating_pow(attempt.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let waits: Vec<_> = (1..=3)
            .map(|n| Retries::KEY_VAULT.wait_after(n).map(|w| w.as_secs()))
            .collect();
        assert_eq!(waits, [Some(1), Some(2), None]);
    }
}
