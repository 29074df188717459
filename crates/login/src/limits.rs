//! How much strangers may try.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use trainyard_domain::ids::Uid;
use trainyard_node::machine::since_boot;

/// Most windows that are remembered; the oldest is forgotten for a new one.
const REMEMBERED: usize = 4096;

/// What strangers may do, and what guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Wrong keys and passwords in one connection.
    pub tries: usize,
    /// Wrong passwords from one address at one node in a window; then none is taken from there until it is over.
    pub wrong_passwords: u32,
    /// How long a window is.
    pub window: Duration,
    /// How long a refusal takes.
    pub refusal: Duration,
    /// How long a connection may take to sign in.
    pub sign_in: Duration,
    /// Connections at once that have not signed in.
    pub strangers: usize,
    /// The same from one address.
    pub strangers_of_one: usize,
    /// Connections at once, all together.
    pub connections: usize,
    /// Commands, shells and forwarded connections at once in one connection.
    pub channels: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            tries: 6,
            wrong_passwords: 10,
            window: Duration::from_secs(60),
            refusal: Duration::from_secs(1),
            sign_in: Duration::from_secs(30),
            strangers: 128,
            strangers_of_one: 16,
            connections: 1000,
            channels: 100,
        }
    }
}

/// What has been wrong lately, for each address and node. Memory is bounded, whatever comes.
#[derive(Debug, Default)]
pub struct Wrong(Mutex<BTreeMap<(IpAddr, Uid), Window>>);

#[derive(Debug)]
struct Window {
    began: Duration,
    wrong: u32,
}

impl Wrong {
    /// Whether a password from there is looked at at all.
    pub fn may_try(&self, from: IpAddr, node: Uid, limits: &Limits) -> bool {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get(&(from, node)).is_none_or(|window| {
            window.wrong < limits.wrong_passwords || since_boot() >= window.began + limits.window
        })
    }

    /// Notes a wrong one. True when it was the last that is looked at.
    pub fn note(&self, from: IpAddr, node: Uid, limits: &Limits) -> bool {
        let now = since_boot();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows
            .entry((from, node))
            .or_insert(Window { began: now, wrong: 0 });
        if now >= window.began + limits.window {
            *window = Window { began: now, wrong: 0 };
        }
        window.wrong = window.wrong.saturating_add(1);
        let last = window.wrong == limits.wrong_passwords;
        if windows.len() > REMEMBERED
            && let Some(oldest) = windows.iter().min_by_key(|(_, window)| window.began)
        {
            let oldest = *oldest.0;
            windows.remove(&oldest);
        }
        last
    }
}

/// Counts connections: all of them, and those of strangers by address.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    all: usize,
    strangers: BTreeMap<IpAddr, usize>,
}

/// A connection that is counted, until it is dropped.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Counts>,
    stranger: Option<IpAddr>,
}

impl Counts {
    /// A place for a stranger, if there is one.
    pub fn enter(self: &Arc<Counts>, from: IpAddr, limits: &Limits) -> Option<Place> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = counted.strangers.get(&from).copied().unwrap_or_default();
        let strangers: usize = counted.strangers.values().sum();
        if counted.all >= limits.connections
            || strangers >= limits.strangers
            || of_one >= limits.strangers_of_one
        {
            return None;
        }
        counted.all += 1;
        counted.strangers.insert(from, of_one + 1);
        Some(Place {
            counts: Arc::clone(self),
            stranger: Some(from),
        })
    }
}

impl Place {
    /// It is no stranger's any more.
    pub fn is_known(&mut self) {
        if let Some(from) = self.stranger.take() {
            let mut counted = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
            counted.forget(from);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.is_known();
        let mut counted = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.all = counted.all.saturating_sub(1);
    }
}

impl Counted {
    fn forget(&mut self, from: IpAddr) {
        if let Some(count) = self.strangers.get_mut(&from) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.strangers.remove(&from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);

    #[test]
    fn ten_wrong_ones_lock_one_address_at_one_node() {
        let (wrong, limits) = (Wrong::default(), Limits::default());
        for n in 1..=10 {
            assert!(wrong.may_try(HERE, Uid(1), &limits));
            assert_eq!(wrong.note(HERE, Uid(1), &limits), n == 10);
        }
        assert!(!wrong.may_try(HERE, Uid(1), &limits));
        assert!(wrong.may_try(HERE, Uid(2), &limits) && wrong.may_try(THERE, Uid(1), &limits));
        let over = Limits {
            window: Duration::ZERO,
            ..limits
        };
        assert!(wrong.may_try(HERE, Uid(1), &over), "the window is over");
    }

    #[test]
    fn memory_is_bounded() {
        let (wrong, limits) = (Wrong::default(), Limits::default());
        for node in 0..REMEMBERED as i64 + 10 {
            wrong.note(HERE, Uid(node), &limits);
        }
        assert_eq!(wrong.0.lock().unwrap().len(), REMEMBERED);
    }

    #[test]
    fn strangers_are_few_and_guests_make_room_for_them() {
        let counts = Arc::new(Counts::default());
        let limits = Limits {
            strangers: 3,
            strangers_of_one: 2,
            connections: 4,
            ..Limits::default()
        };
        let mut first = counts.enter(HERE, &limits).unwrap();
        let _second = counts.enter(HERE, &limits).unwrap();
        assert!(counts.enter(HERE, &limits).is_none(), "too many from one address");
        let _third = counts.enter(THERE, &limits).unwrap();
        assert!(counts.enter(THERE, &limits).is_none(), "too many strangers");
        first.is_known();
        let fourth = counts.enter(HERE, &limits).unwrap();
        assert!(counts.enter(THERE, &limits).is_none(), "too many in all");
        drop(fourth);
        assert!(counts.enter(THERE, &limits).is_some());
    }
}
