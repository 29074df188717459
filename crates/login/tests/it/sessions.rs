//! What guests do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::house::{House, complaints, done, has_ssh, lives, out, poll_line, poll_until};

#[test]
fn streams_are_handed_on_byte_for_byte() {
    if !has_ssh() {
        return;
    }
    let (house, port) = House::with_node();
    let bytes: Vec<u8> = (0..10_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect();
    let mut ssh = house.ssh(port, &[]);
    ssh.arg("tee /dev/stderr").stdin(Stdio::piped());
    let mut ssh = ssh.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = ssh.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let ended = ssh.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stdout == bytes, "stdout: {} bytes", ended.stdout.len());
    assert!(
        ended.stderr.ends_with(&bytes),
        "stderr: {} bytes",
        ended.stderr.len()
    );
}

#[test]
fn a_terminal_has_the_size_of_the_guests() {
    if !has_ssh() {
        return;
    }
    let (house, port) = House::with_node();
    let ssh = house.ssh(port, &["-tt"]);
    let words: Vec<String> = std::iter::once(ssh.get_program())
        .chain(ssh.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let line = format!(
        "stty rows 33 cols 101; {} 'stty size; test -t 0 && echo $TERM; cat /proc/$$/stat | cut -d\" \" -f 6,7; echo $$'",
        words.join(" ")
    );
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm-test")
        .stdin(Stdio::null());
    let ended = done(script);
    let text = out(&ended).replace('\r', "");
    // What `script` makes of its empty input stands before the first line.
    let lines: Vec<&str> = text.trim_start_matches(['^', '@']).lines().collect();
    assert_eq!(
        &lines[..2],
        ["33 101", "xterm-test"],
        "{text}{}",
        complaints(&ended)
    );
    let (session, terminal) = lines[2].split_once(' ').unwrap();
    assert_eq!(session, lines[3], "the shell leads a session: {text}");
    assert_ne!(terminal, "0", "and has a controlling terminal: {text}");
}

#[test]
fn a_shell_takes_what_is_typed_and_sees_nothing_of_jobs() {
    if !has_ssh() {
        return;
    }
    let (house, port) = House::with_node();
    let mut ssh = house.ssh(port, &[]);
    ssh.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut ssh = ssh.spawn().unwrap();
    let typed = b"shopt -q login_shell && echo login; env | grep -c AZ_BATCHAI; pwd; exit 3\n";
    ssh.stdin.take().unwrap().write_all(typed).unwrap();
    let ended = ssh.wait_with_output().unwrap();
    let home = std::fs::read_to_string("/etc/passwd").unwrap();
    let uid = rustix::process::getuid().as_raw().to_string();
    let home = home.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&uid.as_str())).then(|| fields[5].to_owned())
    });
    let expected = format!("login\n0\n{}\n", home.unwrap());
    assert_eq!(
        (out(&ended), ended.status.code()),
        (expected, Some(3)),
        "{}",
        complaints(&ended)
    );
}

#[test]
fn a_port_of_the_node_is_forwarded() {
    if !has_ssh() {
        return;
    }
    let (house, port) = House::with_node();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).unwrap();
        stream.write_all(&asked.repeat(1000)).unwrap();
        asked
    });
    let forward = format!("localhost:{target}");
    let mut ssh = house.ssh(port, &["-W", &forward]);
    ssh.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut ssh = ssh.spawn().unwrap();
    ssh.stdin.take().unwrap().write_all(b"hello, node").unwrap();
    let ended = ssh.wait_with_output().unwrap();
    assert_eq!(served.join().unwrap(), b"hello, node");
    assert_eq!(
        ended.stdout,
        b"hello, node".repeat(1000),
        "{}",
        complaints(&ended)
    );
    let nothing = done(house.ssh(port, &["-W", "127.0.0.1:1"]));
    assert!(
        complaints(&nothing).contains("forwarding failed"),
        "{}",
        complaints(&nothing)
    );
}

#[test]
fn a_session_ends_with_its_connection_whatever_it_left() {
    if !has_ssh() {
        return;
    }
    // With a cgroup v2 tree, where there is one, and without.
    for node in [1, 2] {
        let (mut house, mut port) = House::with_node();
        if node == 2 {
            let key = house.key("id");
            port = house.node(2, crate::house::account(None, Some(key)));
        }
        let file = house.path("pids");
        let script = format!(
            "(trap '' HUP; sleep 1000) & a=$!; env -i setsid sleep 1001 & echo $$ $a $! > {}; wait",
            file.display()
        );
        let mut ssh = house.ssh(port, &[]);
        let mut ssh = ssh.arg(script).spawn().unwrap();
        let line = poll_line(&file);
        assert!(line.split(' ').all(lives), "{line}");
        ssh.kill().unwrap();
        ssh.wait().unwrap();
        poll_until("the session has ended", || {
            line.split(' ').all(|pid| !lives(pid)).then_some(())
        });
    }
}

#[test]
fn a_guest_that_goes_while_nobody_reads_its_input_is_noticed() {
    if !has_ssh() {
        return;
    }
    let (house, port) = House::with_node();
    let file = house.path("pid");
    let mut ssh = house.ssh(port, &[]);
    ssh.arg(format!("echo $$ > {}; exec sleep 1000", file.display()));
    let zeros = std::fs::File::open("/dev/zero").unwrap();
    let mut ssh = ssh.stdin(zeros).spawn().unwrap();
    let pid = poll_line(&file);
    // Once it waits for room, so does the door.
    let io = format!("/proc/{}/io", ssh.id());
    let read = || std::fs::read_to_string(&io).unwrap_or_default();
    poll_until("much was sent", || {
        let read = read();
        let bytes = read
            .lines()
            .find_map(|line| line.strip_prefix("rchar: ")?.parse::<u64>().ok())?;
        (bytes > 500_000).then_some(())
    });
    assert!(lives(&pid));
    ssh.kill().unwrap();
    ssh.wait().unwrap();
    poll_until("the command has ended", || (!lives(&pid)).then_some(()));
}
