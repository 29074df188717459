//! What is decided for a job: it stands in the job itself, so that the engine's script knows it.

use crate::rng::Rng;

/// What is decided for a job, and written into it, so that the engine's script knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// How long it runs.
    pub run_millis: u64,
    /// How it ends.
    pub end: End,
    /// Index of the node on which it fails, if it does; the others end well.
    pub bad: u32,
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Exits(i32),
    /// Its preparation does, with this exit code.
    PreparationFails(i32),
    /// Not by itself.
    Never,
}

impl Default for Fate {
    fn default() -> Fate {
        Fate {
            run_millis: 0,
            end: End::Exits(0),
            bad: 0,
        }
    }
}

impl Fate {
    /// The fate of a new job with so many nodes.
    pub fn draw(rng: &mut Rng, nodes: u32) -> Fate {
        let code = i32::try_from(rng.between(1, 200)).unwrap_or(1);
        let end = match rng.between(0, 9) {
            0 => End::Exits(code),
            1 => End::PreparationFails(code),
            2 => End::Never,
            _ => End::Exits(0),
        };
        let longest = *rng.pick(&[500, 5_000, 30_000]).unwrap_or(&500);
        Fate {
            run_millis: rng.between(0, longest),
            end,
            bad: rng.small(0, nodes - 1),
        }
    }

    /// As a command line.
    pub fn command(&self) -> String {
        let (end, code) = match self.end {
            End::Exits(code) => ("exit", code),
            End::PreparationFails(code) => ("preparation", code),
            End::Never => ("never", 0),
        };
        format!("sim {} {end} {code} {}", self.run_millis, self.bad)
    }

    /// From a command line.
    pub fn parse(command: &str) -> Option<Fate> {
        let mut words = command.strip_prefix("sim ")?.split(' ');
        let run_millis = words.next()?.parse().ok()?;
        let end = words.next()?;
        let code = words.next()?.parse().ok()?;
        Some(Fate {
            run_millis,
            end: match end {
                "exit" => End::Exits(code),
                "preparation" => End::PreparationFails(code),
                _ => End::Never,
            },
            bad: words.next()?.parse().ok()?,
        })
    }
}
