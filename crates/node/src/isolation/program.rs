//! Programs of the machine that know its network.

use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Runs one that changes the network, and waits for it: it only asks the kernel.
pub fn run(program: &str, arguments: &[&str]) -> io::Result<()> {
    ask(program, arguments, "").map(drop)
}

/// The same, with something to read, for what it prints.
pub fn ask(program: &str, arguments: &[&str], input: &str) -> io::Result<String> {
    let words = || format!("{program} {}", arguments.join(" "));
    let done = talk(program, arguments, input)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", words())))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!("{}: {}", words(), said.trim())))
}

fn talk(program: &str, arguments: &[&str], input: &str) -> io::Result<std::process::Output> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the network is set by iproute2 and iptables"
    )]
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // One that has read enough may have closed it; its status tells what became of it.
    let _ = child
        .stdin
        .take()
        .map(|mut stdin| stdin.write_all(input.as_bytes()));
    child.wait_with_output()
}
