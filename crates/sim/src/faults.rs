//! What goes wrong, and how often: drawn per seed, so that some seeds know no crash and others little else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{LaunchPlan, NodePlan};
use trainyard_domain::state::{BatchAiError, Verdict};
use trainyard_engine::fake::{Course, NodeCourse, OnStop, Script, Setup};

use crate::fate::{End, Fate};
use crate::rng::Rng;

/// How often something goes wrong, of a thousand times, and how long things take.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    /// A call to the engine has no effect.
    pub call_lost: u32,
    /// An observation is told by `observe_all` only.
    pub told_never: u32,
    /// An observation comes again, and perhaps again.
    pub told_twice: u32,
    /// Longest delay of an observation, in milliseconds.
    pub told_late: u64,
    /// A node's setup fails.
    pub setup_fails: u32,
    /// A node dies by itself.
    pub node_dies: u32,
    /// The server ends before it tells an effect.
    pub crash_at_effect: u32,
    /// The server ends before or after it works on a request, and before it answers.
    pub crash_at_request: u32,
    /// The longest that setup, start and clean-up take, in milliseconds.
    pub slow: u64,
}

impl Rates {
    /// Rates of one seed: each kind of fault is off, rare or frequent.
    pub fn draw(rng: &mut Rng) -> Rates {
        let mut of = |rare: u32, often: u32| *rng.pick(&[0, rare, rare, often]).unwrap_or(&0);
        Rates {
            call_lost: of(20, 200),
            told_never: of(30, 300),
            told_twice: of(50, 400),
            told_late: u64::from(of(500, 20_000)),
            setup_fails: of(30, 250),
            node_dies: of(100, 400),
            crash_at_effect: of(15, 120),
            crash_at_request: of(15, 120),
            slow: u64::from(of(1_000, 15_000)),
        }
    }
}

/// Rates that can be turned off while the engine lives.
pub type SharedRates = Arc<Mutex<Rates>>;

/// The rates now.
pub fn rates(shared: &SharedRates) -> Rates {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// No fault from here on; things still take their time.
pub fn calm(shared: &SharedRates) {
    let mut rates = shared.lock().unwrap_or_else(PoisonError::into_inner);
    *rates = Rates {
        slow: rates.slow.min(2_000),
        ..Rates::default()
    };
}

/// The engine's fate, seeded.
pub struct SeededScript {
    rng: Rng,
    rates: SharedRates,
}

impl SeededScript {
    /// From a stream.
    pub fn new(rng: Rng, rates: SharedRates) -> SeededScript {
        SeededScript { rng, rates }
    }

    fn time(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.rng.between(0, most))
    }
}

impl Script for SeededScript {
    fn node(&mut self, _: &NodePlan) -> NodeCourse {
        let rates = rates(&self.rates);
        let failed = || {
            Setup::Failed(vec![BatchAiError::new(
                "SetupTaskFailed",
                "The setup task failed.",
            )])
        };
        NodeCourse {
            preparing: self.time(rates.slow + 200),
            setup: if self.rng.chance(rates.setup_fails) {
                failed()
            } else {
                Setup::Ready
            },
            dies: self.rng.chance(rates.node_dies).then(|| self.time(60_000)),
        }
    }

    fn attempt(&mut self, _: Uid, plan: &LaunchPlan) -> Course {
        let rates = rates(&self.rates);
        let command = plan.preparation.as_ref().and_then(|p| p.arguments.last());
        let fate = command.and_then(|text| Fate::parse(text)).unwrap_or_default();
        let bad = plan.node_index == fate.bad;
        let time = Duration::from_millis(fate.run_millis);
        let run = match fate.end {
            End::Exits(code) => Some((time, Verdict::Exited(if bad { code } else { 0 }))),
            End::PreparationFails(code) if bad => Some((time, Verdict::PreparationFailed(code))),
            // The other nodes wait for the preparation of all.
            End::PreparationFails(_) | End::Never => None,
        };
        let on_stop = match self.rng.between(0, 3) {
            0 => OnStop::Ignores,
            1 => OnStop::Exits(self.time(2_000), *self.rng.pick(&[0, 1, 143]).unwrap_or(&0)),
            _ => OnStop::Ends(self.time(2_000)),
        };
        Course {
            start: self.time(rates.slow / 2),
            run,
            on_stop,
        }
    }

    fn call_arrives(&mut self) -> bool {
        let lost = rates(&self.rates).call_lost;
        !self.rng.chance(lost)
    }

    fn delivery(&mut self) -> Vec<Duration> {
        let rates = rates(&self.rates);
        if self.rng.chance(rates.told_never) {
            return Vec::new();
        }
        let mut delays = vec![self.time(rates.told_late)];
        while delays.len() < 4 && self.rng.chance(rates.told_twice) {
            delays.push(self.time(rates.told_late + 30_000));
        }
        delays
    }

    fn clean_up(&mut self) -> Duration {
        let most = rates(&self.rates).slow;
        self.time(most)
    }

    fn tells_gone(&mut self) -> bool {
        self.rng.chance(500)
    }
}
