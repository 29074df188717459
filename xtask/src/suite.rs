//! `cargo xtask test`: every check in turn, fast ones first; failures are collected, nothing stops the rest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::counts::Counts;
use crate::left_out::{self, LeftOut};
use crate::world::{World, now};
use crate::{python, tidy};

const CHECK_LIMIT: Duration = Duration::from_secs(20 * 60);
const TEST_LIMIT: Duration = Duration::from_secs(30 * 60);

/// What the command line asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    pub fast: bool,
    pub only: Option<String>,
}

impl Options {
    pub fn parse(arguments: &[OsString]) -> Result<Options> {
        let mut options = Options::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.to_str() {
                Some("--fast") => options.fast = true,
                Some("--only") => {
                    let name = rest.next().and_then(|name| name.to_str());
                    options.only = Some(name.context("--only needs a part of a test's name")?.to_owned());
                }
                _ => bail!("unknown option of test: {}", argument.display()),
            }
        }
        Ok(options)
    }
}

/// What every step may use, and where it leaves what it could not do.
pub struct Suite<'a> {
    pub world: &'a World,
    pub options: &'a Options,
    /// The build folder.
    pub target: PathBuf,
    /// The file to which tests append what they left out.
    pub left_out_file: PathBuf,
    pub left_out: LeftOut,
}

type Step = fn(&mut Suite) -> Result<Counts>;

/// Runs all steps; `true` when nothing failed. The last line printed is `N passed, N failed`.
pub fn run(world: &World, options: &Options) -> Result<bool> {
    let target = tidy::target_folder(world)?;
    let left_out_file = target.join("xtask").join("left-out.txt");
    std::fs::create_dir_all(target.join("xtask"))?;
    std::fs::write(&left_out_file, "")?;
    let mut suite = Suite {
        world,
        options,
        target,
        left_out_file,
        left_out: LeftOut::default(),
    };

    let mut total = Counts::default();
    for (name, step) in steps(options) {
        total += one_step(&mut suite, name, step);
    }
    for line in std::fs::read_to_string(&suite.left_out_file)?.lines() {
        suite.left_out.add(line);
    }
    let (text, well) = close(total, &suite.left_out, world.ci);
    println!("\n{text}");
    Ok(well)
}

fn steps(options: &Options) -> Vec<(&'static str, Step)> {
    let mut steps: Vec<(&'static str, Step)> = Vec::new();
    if options.only.is_none() {
        steps.extend([
            ("tidy", tidy_step as Step),
            ("rustfmt", rustfmt),
            ("clippy", clippy),
        ]);
    }
    steps.push(("tests", cargo_tests));
    steps.push(("python sdk", python::sdk_tests));
    steps
}

fn one_step(suite: &mut Suite, name: &str, step: Step) -> Counts {
    println!("== {name}");
    let start = now();
    let counts = step(suite).unwrap_or_else(|error| {
        println!("{name}: {error:#}");
        Counts::one(false)
    });
    let seconds = (now() - start).as_secs_f64();
    println!(
        "== {name}: {} passed, {} failed, {seconds:.1} s",
        counts.passed, counts.failed
    );
    counts
}

/// What was left out by name, and the closing line; whether all is well.
fn close(mut total: Counts, left_out: &LeftOut, ci: bool) -> (String, bool) {
    let mut text: String = left_out.lines().map(|line| format!("{line}\n")).collect();
    if ci && left_out.not_permitted() > 0 {
        text += &format!(
            "CI is true: {} left out count as failures\n",
            left_out.not_permitted()
        );
        total.failed += left_out.not_permitted();
    }
    text += &format!("{} passed, {} failed", total.passed, total.failed);
    (text, total.failed == 0)
}

fn tidy_step(suite: &mut Suite) -> Result<Counts> {
    tidy::run(suite.world).map(Counts::one)
}

fn rustfmt(suite: &mut Suite) -> Result<Counts> {
    if !suite.world.works(suite.world.cargo(&["fmt", "--version"])) {
        suite
            .left_out
            .add("rustfmt is not here (install it: rustup component add rustfmt)");
        return Ok(Counts::default());
    }
    let check = suite.world.cargo(&["fmt", "--all", "--check"]);
    Ok(Counts::one(
        suite.world.stream(check, CHECK_LIMIT, print)?.success(),
    ))
}

fn clippy(suite: &mut Suite) -> Result<Counts> {
    if !suite.world.works(suite.world.cargo(&["clippy", "--version"])) {
        suite
            .left_out
            .add("clippy is not here (install it: rustup component add clippy)");
        return Ok(Counts::default());
    }
    let check = suite.world.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]);
    Ok(Counts::one(
        suite.world.stream(check, CHECK_LIMIT, print)?.success(),
    ))
}

fn cargo_tests(suite: &mut Suite) -> Result<Counts> {
    let nextest = suite.world.works(suite.world.cargo(&["nextest", "--version"]));
    let runs: &[&[&str]] = if nextest {
        &[
            &[
                "nextest",
                "run",
                "--workspace",
                "--locked",
                "--no-fail-fast",
                "--no-tests=pass",
                "--success-output=final",
            ],
            &["test", "--workspace", "--doc", "--locked", "--no-fail-fast"],
        ]
    } else {
        // What a test that passes prints is shown too: it may say what it had to leave out.
        &[&[
            "test",
            "--workspace",
            "--locked",
            "--no-fail-fast",
            "--",
            "--show-output",
        ]]
    };
    let mut all = Counts::default();
    for arguments in runs {
        let mut cargo = suite.world.cargo(arguments);
        cargo.args(&suite.options.only).env("CARGO_TERM_COLOR", "never");
        all += count_tests(suite, cargo)?;
    }
    if suite.options.only.is_none() && all.ignored > 0 {
        suite
            .left_out
            .add(&format!("{} ignored tests of the workspace", all.ignored));
    }
    Ok(all)
}

fn count_tests(suite: &mut Suite, mut command: Command) -> Result<Counts> {
    command.env("TRAINYARD_LEFT_OUT", &suite.left_out_file);
    // Property tests try the same cases in every run; plain `cargo test` tries new ones.
    command.env("PROPTEST_RNG_SEED", "2018");
    let mut counts = Counts::default();
    let mut left_out = Vec::new();
    let mut passed = false;
    let ended = suite.world.stream(command, TEST_LIMIT, |line| {
        passed = is_of_passed_tests(line, passed);
        if line.starts_with(left_out::PREFIX) {
            left_out.push(line.to_owned());
        }
        if !passed {
            counts.read_line(line);
        }
        if !passed && !is_quiet(line) {
            print(line);
        }
    })?;
    for line in left_out {
        suite.left_out.add(&line);
    }
    if ended.timed_out {
        println!("the tests were ended after {} minutes", TEST_LIMIT.as_secs() / 60);
    }
    Ok(counts.with_exit(ended.success()))
}

/// Whether a line belongs to what tests that passed have printed, which stands between `successes:` and the
/// next heading.
fn is_of_passed_tests(line: &str, before: bool) -> bool {
    match line.trim_end() {
        "successes:" => true,
        "failures:" => false,
        other => before && !other.starts_with("test result: ") && !other.trim_start().starts_with("Running "),
    }
}

/// Lines that only say that all is well.
fn is_quiet(line: &str) -> bool {
    line.is_empty()
        || line.starts_with("running ")
        || line.starts_with("test result: ok. ")
        || (line.starts_with("test ") && line.ends_with(" ... ok"))
}

/// Shows a line of a program's output as it is.
pub fn print(line: &str) {
    println!("{line}");
}

/// The facts beside the repository, if they are there.
pub fn shared_reference(root: &Path) -> Option<PathBuf> {
    root.join("../shared/reference").canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_tests_print_stands_between_two_headings() {
        let lines = [
            "test a ... ok",
            "successes:",
            "---- a stdout ----",
            "test b ... ok",
            "failures:",
            "x",
        ];
        let mut passed = false;
        let told: Vec<bool> = lines
            .iter()
            .map(|line| {
                passed = is_of_passed_tests(line, passed);
                passed
            })
            .collect();
        assert_eq!(told, [false, true, true, true, false, false]);
        assert!(!is_of_passed_tests("test result: ok. 1 passed; 0 failed", true));
    }

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        assert_eq!(parse(&[]).unwrap(), Options::default());
        assert_eq!(
            parse(&["--fast", "--only", "x"]).unwrap(),
            Options {
                fast: true,
                only: Some("x".into())
            }
        );
        assert!(parse(&["--only"]).is_err());
        assert!(parse(&["--slow"]).is_err());
    }

    #[test]
    fn what_is_left_out_fails_only_in_ci() {
        let mut left_out = LeftOut::default();
        left_out.add("../shared is not here (spec)");
        assert!(close(Counts::one(true), &left_out, true).1);
        left_out.add("python3 is not here");
        assert!(close(Counts::one(true), &left_out, false).1);
        let (text, well) = close(Counts::one(true), &left_out, true);
        assert!(
            !well
                && text.contains("left out: python3 is not here\n")
                && text.ends_with("\n1 passed, 1 failed")
        );
        assert!(!close(Counts::one(false), &LeftOut::default(), false).1);
    }

    #[test]
    fn only_good_news_is_quiet() {
        assert!(is_quiet("test a::b ... ok") && is_quiet("running 3 tests"));
        assert!(!is_quiet("test a::b ... FAILED") && !is_quiet("thread 'a' panicked at src/x.rs:1"));
    }
}
