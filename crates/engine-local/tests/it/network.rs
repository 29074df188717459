//! A machine of a test's own, as far as networks go: the real one sees nothing of it.

use std::net::{Ipv4Addr, TcpListener};
use std::panic::resume_unwind;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use rustix::thread::gettid;
use trainyard_engine_local::isolation_here;

/// The machine's address towards [`outside`], and that of who is there.
pub const MACHINE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// Runs a test in a network namespace, with all threads and processes that it starts; not where nodes cannot have one.
pub fn alone(test: impl FnOnce() + Send) {
    for program in ["ip", "nsenter", "iptables"] {
        if !is_here(program) {
            return println!("left out: a network for each node ({program} is not here)");
        }
    }
    if let Err(error) = isolation_here(&[]) {
        return println!("left out: isolated nodes ({error})");
    }
    let done = thread::scope(|scope| {
        let inside = || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            ask("ip", "link set lo up");
            test();
        };
        scope.spawn(inside).join()
    });
    if let Err(panic) = done {
        resume_unwind(panic);
    }
}

#[expect(clippy::disallowed_methods, reason = "what is missing is said")]
fn is_here(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// What a program says that is asked about the network of this thread, or told to change it.
#[expect(clippy::disallowed_methods, reason = "the network is asked; awaited")]
pub fn ask(program: &str, words: &str) -> String {
    let done = Command::new(program).args(words.split(' ')).output().unwrap();
    assert!(done.status.success(), "{program} {words}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// Someone beyond this machine who knows the way to it and to nobody behind it.
pub fn outside() -> TcpListener {
    let ((tell, number), (linked, wait)) = (channel(), channel());
    let there = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        tell.send(gettid().as_raw_pid()).unwrap();
        wait.recv().unwrap();
        ask("ip", &format!("address add {OUTSIDE}/24 dev machine"));
        ask("ip", "link set machine up");
        // The namespace stays for as long as this does.
        TcpListener::bind((OUTSIDE, 0)).unwrap()
    });
    let number = number.recv().unwrap();
    ask(
        "ip",
        &format!("link add outside type veth peer name machine netns {number}"),
    );
    ask("ip", &format!("address add {MACHINE}/24 dev outside"));
    ask("ip", "link set outside up");
    linked.send(()).unwrap();
    there.join().unwrap()
}
