//! Guests who send more than anybody reads.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use trainyard_login::Limits;

use crate::house::{
    House, PASSWORD, account, complaints, done, has_ssh, lives, out, poll_line, poll_until, quick, skip_ports,
};

/// What each guest sends.
const SENT: u64 = 24 << 20;
/// What the process of the doors may grow by: not much more than what one of twelve guests sends.
const BOUND: u64 = 64 << 20;
/// Set where the doors have a process of their own.
const ALONE: &str = "DOORS_ALONE";

/// A guest whose input comes back to it by a command, and who reads nothing yet.
fn echo(house: &House, port: u16, command: &str) -> (Child, Child) {
    let mut head = Command::new("head");
    head.args(["-c", &SENT.to_string(), "/dev/zero"])
        .stdout(Stdio::piped());
    let mut head = head.spawn().unwrap();
    let mut ssh = house.ssh(port, &[]);
    ssh.arg(command).stdin(head.stdout.take().unwrap());
    let ssh = ssh.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    (head, ssh)
}

/// Bytes of memory that this process holds.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Bytes that a process has read.
fn read_by(process: &Child) -> Option<u64> {
    let io = std::fs::read_to_string(format!("/proc/{}/io", process.id())).ok()?;
    io.lines()
        .find_map(|line| line.strip_prefix("rchar: ")?.parse().ok())
}

#[test]
fn what_guests_send_and_nobody_reads_takes_little_memory_and_none_of_it_is_lost() {
    if !has_ssh() {
        return;
    }
    if std::env::var_os(ALONE).is_none() {
        // Other tests take memory too: this one is run again in a process where there are none.
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let name = "floods::what_guests_send_and_nobody_reads_takes_little_memory_and_none_of_it_is_lost";
        alone.args(["--exact", name]).env(ALONE, "yes");
        let ended = done(alone);
        assert!(ended.status.success(), "{}{}", out(&ended), complaints(&ended));
        return;
    }
    skip_ports(1_700);
    let (house, port) = House::with_node();
    let before = memory();
    let guests: Vec<_> = (0..12).map(|_| echo(&house, port, "cat")).collect();
    poll_until("all send", || {
        let sends = |ssh| read_by(ssh).is_some_and(|bytes| bytes > 3 << 20);
        guests.iter().all(|(_, ssh)| sends(ssh)).then_some(())
    });
    let mut peak = before;
    // While one reads, the others go on sending as much as they are let.
    for (mut head, mut ssh) in guests {
        let mut stdout = ssh.stdout.take().unwrap();
        let (mut buffer, mut came) = (vec![1; 64 << 10], 0);
        loop {
            peak = peak.max(memory());
            let length = stdout.read(&mut buffer).unwrap();
            if length == 0 {
                break;
            }
            assert!(buffer[..length].iter().all(|byte| *byte == 0));
            came += length as u64;
        }
        let ended = ssh.wait_with_output().unwrap();
        assert_eq!(
            (came, ended.status.code()),
            (SENT, Some(0)),
            "{}",
            complaints(&ended)
        );
        assert!(head.wait().unwrap().success());
    }
    assert!(peak - before < BOUND, "{before} bytes became {peak}");
}

#[test]
fn a_guest_who_sends_on_and_reads_nothing_is_ended_at_the_limit_and_told() {
    if !has_ssh() {
        return;
    }
    let mut house = House::new(Limits {
        waiting: 600 << 10,
        ..quick()
    });
    let key = house.key("id");
    let port = house.node(1, account(Some(PASSWORD), Some(key)));
    let file = house.path("pid");
    let (mut head, ssh) = echo(&house, port, &format!("echo $$ > {}; exec cat", file.display()));
    let pid = poll_line(&file);
    poll_until("the command has ended", || (!lives(&pid)).then_some(()));
    let ended = ssh.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(255));
    assert!(
        complaints(&ended).contains("too much of its input unread"),
        "{}",
        complaints(&ended)
    );
    head.wait().unwrap();
}
