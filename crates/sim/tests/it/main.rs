//! The fixed seeds, and that a seed replays.

use std::cell::RefCell;
use std::process::Command;
use std::rc::Rc;

use trainyard_sim::{Work, run};

/// Steps of each fixed seed: short runs find nearly as much as long ones, and many fit into the test run.
const STEPS: u32 = 80;
const WORK: Work = Work::Steps(STEPS);
/// Resizes, changes of scaling and pre-emptions of each seed.
const RESIZES: u32 = 50;

fn seeds(from: u64, to: u64) {
    let mut starts = 0;
    let mut crashes = 0;
    for seed in from..=to {
        match run(seed, WORK, |_| {}) {
            Ok(report) => {
                starts += report.starts;
                crashes += report.crashes;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    // A simulation in which nothing happens would find nothing.
    assert!(
        starts > 250 && crashes > 100,
        "{starts} starts, {crashes} crashes"
    );
}

#[test]
fn seeds_1_to_100_break_no_rule() {
    seeds(1, 100);
}

#[test]
fn seeds_101_to_200_break_no_rule() {
    seeds(101, 200);
}

#[test]
fn fifty_resizes_under_load_break_no_rule() {
    let (mut starts, mut pre_empted, mut stopped, mut crashes) = (0, 0, 0, 0);
    for seed in 1..=12 {
        match run(seed, Work::Resizes(RESIZES), |_| {}) {
            Ok(report) => {
                starts += report.starts;
                pre_empted += report.pre_empted.0;
                stopped += report.pre_empted.1;
                crashes += report.crashes;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    let seen = format!("{starts} starts, {pre_empted} pre-empted, {stopped} jobs stopped, {crashes} crashes");
    println!("{seen}");
    assert!(
        starts > 400 && pre_empted > 60 && stopped > 20 && crashes > 100,
        "{seen}"
    );
}

fn trace(seed: u64) -> (u64, Vec<String>) {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&lines);
    let report = run(seed, WORK, move |line| seen.borrow_mut().push(line.to_owned()));
    let report = report.unwrap_or_else(|failure| panic!("{failure}"));
    (report.hash, lines.take())
}

#[test]
fn a_seed_replays_in_this_process() {
    let (hash, lines) = trace(7);
    let (again, other) = trace(7);
    assert_eq!(lines, other);
    assert_eq!(hash, again);
    assert_ne!(hash, trace(8).0);
}

#[test]
fn a_seed_replays_in_another_process() {
    #[expect(clippy::disallowed_methods, reason = "the test is about another process")]
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .args(["--seed", "7", "--steps", &STEPS.to_string()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (hash, lines) = trace(7);
    let other: Vec<&str> = text.lines().collect();
    assert_eq!(lines, other[..lines.len()]);
    assert!(text.contains(&format!("hash: {hash}")), "{}", other[lines.len()]);
}
