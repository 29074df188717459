//! What this machine says of itself and its processes: boot id, clock, start times.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

/// Time since boot, time asleep included (`CLOCK_BOOTTIME`): what deadlines of jobs are counted by.
pub fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Identity of this boot of the machine; empty where the kernel does not tell.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// A process: its number may be given out again, the time of its start with it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub pid: i32,
    /// When it was started, in clock ticks since boot.
    pub start_time: u64,
}

/// A process as `/proc/{pid}/stat` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Its parent.
    pub parent: i32,
    /// Whether it has ended and only waits for its parent to take note.
    pub zombie: bool,
    /// When it was started, in clock ticks since boot. With the pid it is an identity for this boot.
    pub start_time: u64,
}

/// Looks at a process; `None` when there is none of that number.
pub fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?)
}

/// Whether a thread of it waits in the kernel for something that no signal ends, such as the answer of a volume.
pub fn is_stuck(pid: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid()));
    let mut threads = threads.into_iter().flatten().flatten();
    threads.any(|thread| {
        let text = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = text.rsplit_once(')').map(|(_, rest)| rest.trim_start());
        state.is_some_and(|state| state.starts_with('D'))
    })
}

/// This process as the /proc that is mounted counts it.
pub fn own_stat() -> io::Result<Identity> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let pid = text.split(' ').next().and_then(|pid| pid.parse().ok());
    let found = pid.zip(parse_stat(&text));
    let (pid, stat) = found.ok_or_else(|| io::Error::other("/proc/self/stat has another shape"))?;
    Ok(Identity {
        pid,
        start_time: stat.start_time,
    })
}

/// The name in parentheses may hold anything, so the fields are counted from the last `)`.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let threads: u32 = fields.nth(15)?.parse().ok()?;
    let start_time = fields.nth(1)?.parse().ok()?;
    Some(Stat {
        parent,
        // The first thread may have ended while others of the process go on.
        zombie: matches!(state, "Z" | "X") && threads <= 1,
        start_time,
    })
}

/// All processes that can be seen now.
pub fn processes() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_behind_any_name() {
        let text = "7 (a) b (x) Z 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2";
        let expected = Stat {
            parent: 3,
            zombie: true,
            start_time: 98765,
        };
        assert_eq!(parse_stat(text), Some(expected));
        assert_eq!(parse_stat("7 (a) S 3"), None);
    }

    #[test]
    fn this_process_is_seen() {
        let me = rustix::process::getpid();
        assert!(processes().contains(&me));
        assert!(!stat(me).unwrap().zombie);
        assert!(!boot_id().is_empty());
    }
}
