//! The whole server under simulated time, faults and crashes.
//!
//! A seed decides everything: which requests a client sends, how long things take, what fails, when the server
//! ends in the middle of something and starts again. The server is the real one, its database the real one
//! in memory, its engine the scriptable fake. After every step checkers look at the store, at what the engine
//! truly ran, and at what the server answered. Then the faults stop, and everything must come to its end.
//!
//! [`run`] with the same seed and the same number of steps does the same, in this process or another.

mod check;
mod client;
mod fate;
mod faults;
mod look;
mod model;
mod ports;
mod preempt;
mod resizes;
mod rng;
mod settle;
mod trace;
mod watch;
mod workload;
mod world;

use std::fmt;
use std::panic::AssertUnwindSafe;

use world::World;

/// How a run went that broke no rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Hash of everything that happened.
    pub hash: u64,
    /// How often the server was ended and started again.
    pub crashes: u32,
    /// How many requests were answered.
    pub requests: u32,
    /// How many times an attempt truly started on a node.
    pub starts: usize,
    /// How many nodes were lost.
    pub kills: u32,
    /// How many times the scale settings of a cluster were changed.
    pub resizes: u32,
    /// How many nodes were pre-empted, and how many of them had a job that was stopped for it.
    pub pre_empted: (u32, u32),
    /// Milliseconds of simulated time.
    pub millis: i64,
}

/// A rule was broken.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was asked for.
    pub work: Work,
    /// In which step it was noticed; steps behind the last one wait for everything to settle.
    pub step: u32,
    /// What is wrong.
    pub problem: String,
    /// The last that happened before.
    pub tail: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.tail {
            writeln!(f, "  {line}")?;
        }
        writeln!(f, "seed {}, step {}: {}", self.seed, self.step, self.problem)?;
        write!(
            f,
            "replay: cargo run -p trainyard-sim --bin soak -- --seed {} {}",
            self.seed, self.work
        )
    }
}

impl std::error::Error for Failure {}

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Clients do everything there is, for so many steps.
    Steps(u32),
    /// Two clusters under load are resized, changed between manual and automatic scaling, and lose nodes to
    /// pre-emption, so many times in all.
    Resizes(u32),
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Steps(steps) => write!(f, "--steps {steps}"),
            Work::Resizes(resizes) => write!(f, "--resizes {resizes}"),
        }
    }
}

/// Runs one seed: the work with faults, then without until everything has settled. `show` gets every
/// line of the trace as it is written.
///
/// # Errors
/// The first rule that was broken.
pub fn run(seed: u64, work: Work, show: impl FnMut(&str) + 'static) -> Result<Report, Box<Failure>> {
    let failed = |step, problem, tail| {
        Box::new(Failure {
            seed,
            work,
            step,
            problem,
            tail,
        })
    };
    let mut world =
        World::new(seed, Box::new(show)).map_err(|problem| failed(0, problem.to_string(), Vec::new()))?;
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| world.run(work)));
    let problem = match result {
        Ok(Ok(())) => return Ok(world.report()),
        Ok(Err(broken)) => broken.to_string(),
        Err(panic) => format!("panic: {}", panic_text(&*panic)),
    };
    Err(failed(world.step(), problem, world.tail()))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
        .to_owned()
}

/// A rule that was broken, in words.
#[derive(Debug)]
pub(crate) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Broken {
    /// A broken rule.
    pub fn new(text: impl Into<String>) -> Broken {
        Broken(text.into())
    }
}

/// `Err` with these words unless the rule holds.
macro_rules! rule {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err($crate::Broken::new(format!($($words)+)));
        }
    };
}
pub(crate) use rule;

/// What checking something gives.
pub(crate) type Checked<T = ()> = Result<T, Broken>;
