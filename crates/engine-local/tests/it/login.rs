//! People who are logged in to nodes, beside jobs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;

use trainyard_domain::state::Verdict;
use trainyard_engine::Engine;
use trainyard_node::login::{Call, Request};

use crate::yard::{Yard, id};

/// A session on a node, with the numbers of its processes: a shell, a child that nothing in its environment tells from
/// a job's, and one that has made itself independent.
fn session(yard: &Yard, node: trainyard_domain::ids::Uid) -> (Call, Vec<String>) {
    let script = "env -i sleep 1000 & a=$!; trap '' HUP; setsid sleep 1000 & echo $$ $a $!; exec >/dev/null; sleep 1000; :";
    let request = Request::Run {
        command: Some(script.to_owned()),
        environment: BTreeMap::new(),
        terminal: false,
    };
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let (read, write) = std::io::pipe().unwrap();
    let streams = [null.as_fd(), write.as_fd(), null.as_fd()];
    let call = Call::start(&yard.folder(node), &request, &streams).unwrap();
    drop(write);
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).unwrap();
    let pids: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    assert_eq!(pids.len(), 3, "{line:?}");
    (call, pids)
}

#[test]
fn a_session_is_no_part_of_a_job_and_ends_with_its_connection_or_its_node() {
    for yard in Yard::each() {
        let node = yard.node(1);
        let (call, pids) = session(&yard, node);
        let lives = || pids.iter().all(|pid| yard.lives(pid));
        assert_eq!(yard.run(id(1), node, "true"), Verdict::Exited(0));
        let mut stubborn = yard.plan(
            id(2),
            node,
            "trap '' TERM; echo on > $OUT/on; while :; do sleep 0.05; done",
        );
        stubborn.grace_seconds = 0;
        yard.launch(node, stubborn);
        yard.line(id(2), node, "on");
        let (_other, others) = session(&yard, node);
        yard.engine().ensure_stopped(id(2), &[node]);
        assert_eq!(yard.verdict(id(2), node), Verdict::Stopped);
        assert!(
            lives() && others.iter().all(|pid| yard.lives(pid)),
            "the sessions go on"
        );
        drop(call);
        yard.until("the session has ended", || {
            (!pids.iter().any(|pid| yard.lives(pid))).then_some(())
        });
        assert!(others.iter().all(|pid| yard.lives(pid)), "the other goes on");
        yard.engine().release_node(node);
        yard.until("the other has ended with its node", || {
            (!others.iter().any(|pid| yard.lives(pid))).then_some(())
        });
    }
}
