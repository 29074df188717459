//! Terminals of sessions.

use std::io;
use std::os::fd::OwnedFd;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How large a terminal is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Columns.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
}

/// A terminal: our side of it, a copy of that to change its size by, and the side of the process.
pub struct Terminal {
    /// Our side.
    pub ours: OwnedFd,
    /// The side of the process.
    pub theirs: OwnedFd,
}

impl Terminal {
    /// A new one.
    pub fn open(size: Size) -> io::Result<Terminal> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        unlockpt(&ours)?;
        let theirs = ioctl_tiocgptpeer(
            &ours,
            OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC,
        )?;
        resize(&ours, size)?;
        Ok(Terminal { ours, theirs })
    }
}

/// Gives a terminal another size; what runs in its foreground hears of it.
pub fn resize(terminal: &OwnedFd, size: Size) -> io::Result<()> {
    let number = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let size = Winsize {
        ws_row: number(size.rows),
        ws_col: number(size.columns),
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(terminal, size)?)
}
