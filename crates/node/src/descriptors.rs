//! Descriptors that whoever started us left open. Every one of ours closes on exec; a foreign one would be
//! inherited by every job.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Set after the second start, so that there is no third.
const CLEANED: &str = "TRAINYARD_NODE_CLEANED";
/// Closes the descriptors named by the first argument and becomes the program that follows.
const SCRIPT: &str = r#"for n in $1; do eval "exec $n>&-"; done; shift; exec "$@""#;

/// Starts this process anew without foreign descriptors, if there are any. Closing a descriptor that we did
/// not open ourselves cannot be written safely in Rust, so a shell does it.
pub fn shed() -> io::Result<()> {
    let foreign = foreign()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "a mark for ourselves, across our own second start"
    )]
    let again = std::env::var_os(CLEANED).is_some();
    if foreign.is_empty() || again {
        return Ok(());
    }
    let list: Vec<String> = foreign.iter().map(u32::to_string).collect();
    #[expect(
        clippy::disallowed_methods,
        reason = "the node becomes itself again, with fewer descriptors"
    )]
    let mut command = Command::new("bash");
    let error = command
        .args(["-c", SCRIPT, "bash", &list.join(" ")])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(CLEANED, "1")
        .exec();
    Err(error)
}

fn foreign() -> io::Result<Vec<u32>> {
    let mut foreign = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let Some(number) = entry?.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        let inherited = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))
            .is_ok_and(|info| number > 2 && !closes_on_exec(&info));
        if inherited {
            foreign.push(number);
        }
    }
    Ok(foreign)
}

fn closes_on_exec(info: &str) -> bool {
    const O_CLOEXEC: u32 = 0o2_000_000;
    info.lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
        .is_some_and(|flags| flags & O_CLOEXEC != 0)
}
