//! What the machine does without a server: `bash -c true`, again and again.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};

use crate::clock;

/// Starts a second when `threads` of them start and wait, one process at a time each.
///
/// # Errors
/// When bash cannot be started or fails.
pub fn starts_per_second(count: u32, threads: u32) -> anyhow::Result<f64> {
    let next = AtomicU32::new(0);
    let begun = clock::instant();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| worker(&next, count)))
            .collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(end) => end,
            Err(_) => anyhow::bail!("a thread of the bare loop broke"),
        })
    })?;
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

fn worker(next: &AtomicU32, count: u32) -> anyhow::Result<()> {
    while next.fetch_add(1, Ordering::Relaxed) < count {
        start_one()?;
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "this start is what is measured; it is waited for"
)]
fn start_one() -> anyhow::Result<()> {
    let status = Command::new("bash")
        .args(["-c", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("bash cannot be started: the measurement needs it")?;
    ensure!(status.success(), "bash -c true ended with {status}");
    Ok(())
}
