//! When a node must have ended an attempt.
//!
//! The node itself stops what it runs: when it is told to, and when the longest time is over. A node that does not get to
//! it, since something on it froze it or a file system holds it, must not keep its job for ever. So the engine knows when
//! each attempt should be over. To bring what a job wrote to its stores may take long, and a node that is at it says so
//! ([`trainyard_node::files::Folder::alive`]): it gets more time. One that shows no sign of life is killed.

use std::time::{Duration, SystemTime};

use trainyard_domain::state::Verdict;

/// How long a node may take to end an attempt that shows signs of life: two volumes being flushed, see there.
const AT_LAST: Duration = Duration::from_secs(2 * 3600);

/// When one attempt must be over on its node, since boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// How it ends if the node must be killed for it.
    verdict: Verdict,
    /// When its longest time is over.
    deadline: Option<Duration>,
    by: Option<Duration>,
    at_last: Duration,
    grace: Duration,
    /// The last sign of life that counted.
    sign: Option<SystemTime>,
    /// The node is killed for it.
    killed: bool,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Look again then.
    At(Duration),
    /// The node is to be killed.
    Kill,
}

impl Due {
    /// An attempt that may run `longest` from `began` on, and has `grace` to end. `within` is how long a node may show no
    /// sign of life.
    pub fn launched(began: Duration, longest: Duration, grace: Duration, within: Duration) -> Due {
        let deadline = began.saturating_add(longest);
        let by = deadline.saturating_add(grace).saturating_add(within);
        Due {
            verdict: Verdict::TimedOut,
            deadline: Some(deadline),
            by: Some(by),
            at_last: by.saturating_add(AT_LAST),
            grace,
            sign: None,
            killed: false,
        }
    }

    /// Signs of life up to this one do not count: they were not of this attempt.
    pub fn after(self, sign: Option<SystemTime>) -> Due {
        Due { sign, ..self }
    }

    /// An attempt of which no plan is known.
    pub fn unknown() -> Due {
        Due {
            verdict: Verdict::Stopped,
            deadline: None,
            by: None,
            at_last: Duration::MAX,
            grace: Duration::ZERO,
            sign: None,
            killed: false,
        }
    }

    /// It is to be stopped from now on. Said again, it changes nothing.
    pub fn stop(&mut self, now: Duration, within: Duration) {
        let by = now.saturating_add(self.grace).saturating_add(within);
        if self.by.is_none_or(|before| by < before) {
            self.by = Some(by);
            self.at_last = by.saturating_add(AT_LAST);
        }
        if self.deadline.is_none_or(|deadline| now < deadline) {
            self.verdict = Verdict::Stopped;
        }
    }

    /// Whether it is time; `sign` is the node's last sign of life. `None` while nothing is due at all, and once the node is
    /// killed.
    pub fn look(
        &mut self,
        now: Duration,
        sign: impl FnOnce() -> Option<SystemTime>,
        within: Duration,
    ) -> Option<Look> {
        let by = self.by.filter(|_| !self.killed)?;
        if now < by {
            return Some(Look::At(by));
        }
        let sign = sign();
        if now >= self.at_last || sign.is_none() || sign == self.sign {
            self.killed = true;
            return Some(Look::Kill);
        }
        self.sign = sign;
        let by = now.saturating_add(within).min(self.at_last);
        self.by = Some(by);
        Some(Look::At(by))
    }

    /// How the attempt has ended, now that its node is gone: `None` where the node was lost for another reason, before it
    /// was time.
    pub fn ended(&self, now: Duration) -> Option<Verdict> {
        let over = self.verdict == Verdict::TimedOut && self.by.is_some_and(|by| now >= by);
        (self.killed || over).then(|| self.verdict.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(20);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn sign(n: u64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + at(n))
    }

    fn launched() -> Due {
        Due::launched(at(100), at(60), at(30), WITHIN)
    }

    #[test]
    fn a_silent_node_is_killed_after_deadline_and_grace_and_the_job_has_timed_out() {
        let mut due = launched();
        assert_eq!(due.look(at(209), || None, WITHIN), Some(Look::At(at(210))));
        assert_eq!(
            due.ended(at(209)),
            None,
            "a node that is lost before is just lost"
        );
        assert_eq!(due.look(at(210), || None, WITHIN), Some(Look::Kill));
        assert_eq!(due.ended(at(210)), Some(Verdict::TimedOut));
        assert_eq!(
            launched().ended(at(211)),
            Some(Verdict::TimedOut),
            "by another engine too"
        );
    }

    #[test]
    fn a_stop_is_due_after_the_grace_and_saying_it_again_gives_no_more_time() {
        let mut due = launched();
        due.stop(at(110), WITHIN);
        due.stop(at(150), WITHIN);
        assert_eq!(due.look(at(159), || None, WITHIN), Some(Look::At(at(160))));
        assert_eq!(due.ended(at(170)), None, "nobody killed it");
        assert_eq!(due.look(at(160), || None, WITHIN), Some(Look::Kill));
        assert_eq!(due.ended(at(160)), Some(Verdict::Stopped));
        let mut late = launched();
        late.stop(at(170), WITHIN);
        late.look(at(220), || None, WITHIN);
        assert_eq!(
            late.ended(at(220)),
            Some(Verdict::TimedOut),
            "it was over before the stop"
        );
        let mut unknown = Due::unknown();
        assert_eq!(unknown.look(at(1_000_000), || None, WITHIN), None);
        unknown.stop(at(5), WITHIN);
        assert_eq!(unknown.look(at(25), || None, WITHIN), Some(Look::Kill));
    }

    #[test]
    fn signs_of_life_give_more_time_but_not_for_ever() {
        let mut due = launched();
        let (mut now, mut looks) = (at(210), 0);
        while let Some(Look::At(again)) = due.look(now, || sign(now.as_secs()), WITHIN) {
            now = again;
            looks += 1;
        }
        assert_eq!((now, looks), (at(210) + AT_LAST, 360));
        let mut due = launched();
        assert_eq!(due.look(at(210), || sign(200), WITHIN), Some(Look::At(at(230))));
        assert_eq!(
            due.look(at(230), || sign(200), WITHIN),
            Some(Look::Kill),
            "the same sign"
        );
        let mut due = launched().after(sign(50));
        assert_eq!(
            due.look(at(210), || sign(50), WITHIN),
            Some(Look::Kill),
            "of a job before"
        );
    }
}
