//! Runs the simulator with many seeds, or replays one.

use std::io::Write as _;
use std::process::ExitCode;

use trainyard_sim::Work;

const USAGE: &str = "usage: soak [--seeds N] [--start S] [WORK]   runs seeds S to S+N-1
       soak --seed S [WORK]               replays one and shows all it does
WORK:  --steps K, or --resizes K for clusters that are resized K times under load";

/// What was asked.
struct Wish {
    start: u64,
    seeds: u64,
    work: Work,
    show: bool,
}

fn main() -> ExitCode {
    let Some(wish) = read(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // A panic is a failure of its seed, told with it.
    std::panic::set_hook(Box::new(|_| {}));
    let mut failed = 0u32;
    for (done, seed) in (wish.start..wish.start.saturating_add(wish.seeds)).enumerate() {
        let show = wish.show;
        let result = trainyard_sim::run(seed, wish.work, move |line| {
            if show {
                println!("{line}");
            }
        });
        match result {
            Ok(report) if wish.show => println!("seed {seed}: {report:?}"),
            Ok(_) => {}
            Err(failure) => {
                failed += 1;
                eprintln!("\n{failure}");
            }
        }
        eprint!("\r{} of {} seeds, {failed} failed", done + 1, wish.seeds);
        let _ = std::io::stderr().flush();
    }
    eprintln!();
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn read(mut words: impl Iterator<Item = String>) -> Option<Wish> {
    let mut wish = Wish {
        start: 1,
        seeds: 1_000,
        work: Work::Steps(150),
        show: false,
    };
    while let Some(flag) = words.next() {
        let value = words.next()?;
        match flag.as_str() {
            "--seeds" => wish.seeds = value.parse().ok()?,
            "--start" => wish.start = value.parse().ok()?,
            "--steps" => wish.work = Work::Steps(value.parse().ok()?),
            "--resizes" => wish.work = Work::Resizes(value.parse().ok()?),
            "--seed" => {
                wish.start = value.parse().ok()?;
                (wish.seeds, wish.show) = (1, true);
            }
            _ => return None,
        }
    }
    Some(wish)
}
