//! What the limits had to do with the end of an attempt.

use trainyard_domain::launch::NodeLimits;
use trainyard_domain::state::{Cut, Shortage, Verdict};

use crate::cgroup::{Before, Limits, Since};
use crate::journal::Journal;

/// The verdict in view of what the kernel counted meanwhile. What the job's user should know stands in the execution
/// log then, whatever came of it.
pub fn in_view_of(limits: &Limits, before: &mut Before, verdict: Verdict, journal: &Journal) -> Verdict {
    let Some(asked) = limits.asked() else {
        return verdict;
    };
    let since = limits.counters().since(before);
    for line in lines(&since, asked) {
        journal.say(line);
    }
    judge(verdict, &since, asked)
}

fn lines(since: &Since, asked: &NodeLimits) -> Vec<String> {
    let mut lines = Vec::new();
    if since.killed > 0 {
        let highest = since.highest.map_or_else(
            || "an unknown part".to_owned(),
            |bytes| format!("{} MiB", bytes >> 20),
        );
        lines.push(format!(
            "{} killed for want of memory; the highest use was {highest} of {} MiB",
            how_many(since.killed, "process was", "processes were"),
            asked.memory >> 20
        ));
    }
    if since.refused > 0 {
        lines.push(format!(
            "{} not started: no more than {} are allowed on {}",
            how_many(since.refused, "process was", "processes were"),
            asked.processes,
            asked.vm_size
        ));
    }
    lines
}

fn how_many(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

fn judge(verdict: Verdict, since: &Since, asked: &NodeLimits) -> Verdict {
    let cut = match verdict {
        _ if since.killed == 0 => return verdict,
        Verdict::Exited(0)
        | Verdict::NotStarted(..)
        | Verdict::OverLimit(..)
        | Verdict::VolumeFailed(..)
        | Verdict::OutOfMemory(..) => return verdict,
        Verdict::Exited(code) => Cut::Exited(code),
        Verdict::PreparationFailed(code) => Cut::PreparationFailed(code),
        Verdict::TimedOut => Cut::TimedOut,
        Verdict::Stopped => Cut::Stopped,
    };
    let shortage = Shortage {
        limit: asked.memory,
        highest: since.highest,
        vm_size: asked.vm_size.clone(),
    };
    Verdict::OutOfMemory(cut, shortage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> NodeLimits {
        NodeLimits {
            vm_size: "STANDARD_D1".to_owned(),
            cores: 1,
            memory: 64 << 20,
            processes: 50,
        }
    }

    fn killed() -> Since {
        Since {
            killed: 1,
            highest: Some(64 << 20),
            refused: 0,
        }
    }

    #[test]
    fn a_job_that_failed_after_a_kill_was_short_of_memory() {
        let shortage = Shortage {
            limit: 64 << 20,
            highest: Some(64 << 20),
            vm_size: "STANDARD_D1".to_owned(),
        };
        for (verdict, cut) in [
            (Verdict::Exited(137), Cut::Exited(137)),
            (Verdict::Exited(1), Cut::Exited(1)),
            (Verdict::PreparationFailed(2), Cut::PreparationFailed(2)),
            (Verdict::TimedOut, Cut::TimedOut),
            (Verdict::Stopped, Cut::Stopped),
        ] {
            let expected = Verdict::OutOfMemory(cut, shortage.clone());
            assert_eq!(judge(verdict, &killed(), &asked()), expected);
        }
    }

    #[test]
    fn others_end_as_they_did() {
        let ended = |verdict, since: &Since| judge(verdict, since, &asked());
        assert_eq!(ended(Verdict::Exited(0), &killed()), Verdict::Exited(0));
        assert_eq!(
            ended(Verdict::Exited(137), &Since::default()),
            Verdict::Exited(137)
        );
    }

    #[test]
    fn the_log_tells_what_happened() {
        let refused = Since {
            killed: 2,
            highest: None,
            refused: 1,
        };
        let expected = [
            "2 processes were killed for want of memory; the highest use was an unknown part of 64 MiB",
            "1 process was not started: no more than 50 are allowed on STANDARD_D1",
        ];
        assert_eq!(lines(&refused, &asked()), expected);
        assert!(lines(&Since::default(), &asked()).is_empty());
    }
}
