//! What is written down of those who are refused. Anybody can be refused as often as they like, and what is written down
//! pushes out what was written before: so the first refusal at a node is written down at once, and those that follow are
//! counted and written down together. While they go on, that is done less and less often.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use trainyard_domain::ids::Uid;

use crate::yard::{Note, Outcome, Sum};

/// First and longest time over which refusals are counted together.
const PERIODS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(3600);
/// Most addresses that are named together.
const NAMED: usize = 8;

/// Refusals lately, by node. There are no more than nodes.
#[derive(Debug, Default)]
pub struct Refusals(BTreeMap<Uid, Period>);

#[derive(Debug)]
struct Period {
    ends: Duration,
    length: Duration,
    /// What is not written down yet.
    sum: Sum,
    last_user: String,
}

/// What to do about a refusal.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// Write it down; come for what follows after this time.
    Now(Duration),
    /// It is counted.
    Later,
}

impl Refusals {
    /// Somebody was refused, or locked out.
    pub fn add(&mut self, note: &Note, now: Duration) -> Told {
        let Some(period) = self.0.get_mut(&note.node) else {
            let length = *PERIODS.start();
            self.0.insert(note.node, Period::new(now, length));
            return Told::Now(length);
        };
        let sum = &mut period.sum;
        match &note.outcome {
            Outcome::Refused(tries) => {
                sum.connections = sum.connections.saturating_add(1);
                sum.tries = sum.tries.saturating_add(*tries);
            }
            Outcome::Locked => sum.locked = sum.locked.saturating_add(1),
            Outcome::LetIn(_) | Outcome::More(_) => return Told::Later,
        }
        if sum.addresses.len() < NAMED {
            sum.addresses.insert(note.from);
        } else if !sum.addresses.contains(&note.from) {
            sum.and_others = true;
        }
        period.last_user.clone_from(&note.user);
        Told::Later
    }

    /// What is to be written down of a node whose period is over, and when to come again. Nothing of one where nobody was
    /// refused any more: the next refusal there is written down at once.
    pub fn due(&mut self, node: Uid, now: Duration) -> Option<(Option<Note>, Duration)> {
        let period = self.0.get_mut(&node)?;
        if now < period.ends {
            return Some((None, period.ends - now));
        }
        let length = (period.length * 2).min(*PERIODS.end());
        let over = std::mem::replace(period, Period::new(now, length));
        match over.note(node) {
            Some(note) => Some((Some(note), length)),
            None => {
                self.0.remove(&node);
                None
            }
        }
    }

    /// All that is not written down yet.
    pub fn rest(&mut self) -> Vec<Note> {
        let periods = std::mem::take(&mut self.0).into_iter();
        periods.filter_map(|(node, period)| period.note(node)).collect()
    }
}

impl Period {
    fn new(now: Duration, length: Duration) -> Period {
        Period {
            ends: now + length,
            length,
            sum: Sum {
                connections: 0,
                tries: 0,
                locked: 0,
                addresses: BTreeSet::new(),
                and_others: false,
            },
            last_user: String::new(),
        }
    }

    fn note(self, node: Uid) -> Option<Note> {
        let from: IpAddr = *self.sum.addresses.first()?;
        Some(Note {
            node,
            from,
            user: self.last_user,
            outcome: Outcome::More(self.sum),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(node: i64, from: u32) -> Note {
        Note {
            node: Uid(node),
            from: IpAddr::V4(from.into()),
            user: format!("user{from}"),
            outcome: Outcome::Refused(3),
        }
    }

    #[test]
    fn a_million_refusals_from_everywhere_are_a_few_notes() {
        let mut refusals = Refusals::default();
        let mut notes: Vec<Note> = Vec::new();
        let mut look_at = None;
        // A day, twelve refusals each second.
        for n in 0..1_036_800_u32 {
            let now = Duration::from_secs(u64::from(n / 12));
            if look_at.is_some_and(|at| now >= at) {
                let (note, again) = refusals.due(Uid(1), now).unwrap();
                notes.extend(note);
                look_at = Some(now + again);
            }
            if let Told::Now(again) = refusals.add(&refused(1, n), now) {
                notes.push(refused(1, n));
                look_at = Some(now + again);
            }
        }
        notes.extend(refusals.rest());
        assert!(notes.len() < 35, "{} notes", notes.len());
        let counted: u32 = notes
            .iter()
            .map(|note| match &note.outcome {
                Outcome::More(sum) => {
                    assert!(sum.addresses.len() == NAMED && sum.and_others, "{sum:?}");
                    sum.connections
                }
                _ => 1,
            })
            .sum();
        assert_eq!(counted, 1_036_800, "none is forgotten");
    }

    #[test]
    fn each_node_tells_of_its_own_and_after_a_quiet_time_at_once() {
        let (mut refusals, minute) = (Refusals::default(), *PERIODS.start());
        let start = Duration::from_secs(5);
        assert_eq!(refusals.add(&refused(1, 1), start), Told::Now(minute));
        assert_eq!(refusals.add(&refused(2, 1), start), Told::Now(minute));
        assert_eq!(refusals.add(&refused(1, 2), start), Told::Later);
        let early = refusals.due(Uid(1), start + minute / 2);
        assert_eq!(early, Some((None, minute / 2)));
        let (note, again) = refusals.due(Uid(1), start + minute).unwrap();
        let note = note.unwrap();
        assert_eq!(
            (note.user.as_str(), note.node, again),
            ("user2", Uid(1), minute * 2)
        );
        assert_eq!(refusals.due(Uid(2), start + minute), None, "nobody came");
        let later = start + minute * 3;
        assert_eq!(refusals.due(Uid(1), later), None);
        assert_eq!(refusals.add(&refused(1, 3), later), Told::Now(minute));
    }
}
