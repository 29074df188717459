//! The system's clocks and randomness, for the commands. The server has ports of its own.

use std::time::Instant;

/// For measuring.
#[expect(clippy::disallowed_methods, reason = "the commands' one monotonic clock")]
pub fn instant() -> Instant {
    Instant::now()
}

/// The time in names of things: `yyyymmddhhmmss` and milliseconds, UTC. Two starts may share a second.
#[expect(clippy::disallowed_methods, reason = "the commands' one wall clock")]
pub fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%d%H%M%S%3f").to_string()
}

/// The time.
#[expect(clippy::disallowed_methods, reason = "the commands' one wall clock")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Nanoseconds since the epoch, as other processes of this machine tell them.
#[expect(clippy::disallowed_methods, reason = "the commands' one wall clock")]
pub fn nanoseconds() -> i128 {
    jiff::Timestamp::now().as_nanosecond()
}

/// 32 random hexadecimal digits.
///
/// # Errors
/// When the system has no randomness.
#[expect(clippy::disallowed_methods, reason = "the commands' one source of randomness")]
pub fn random_hex() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
