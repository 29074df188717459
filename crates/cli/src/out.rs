//! What the commands say. Standard streams may be closed or lie on a full disk: no reason to fall over.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::Context;

/// Prints a result to stdout. Who reads no further has what was wanted.
///
/// # Errors
/// When it cannot be written, unless the reader has gone.
pub fn print(text: impl Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("stdout cannot be written"),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// [`say`] of a format string.
macro_rules! say {
    ($($text:tt)*) => { $crate::out::say(format_args!($($text)*)) };
}

/// Says something to the person at the terminal, on stderr, if anybody is there.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
