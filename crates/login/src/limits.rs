//! How much strangers may try.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
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
    /// Wrong passwords from one address for one account in a window; then none is taken from there until it is over. Nodes
    /// of a cluster have one account.
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
    /// The same, all together.
    pub channels_in_all: usize,
    /// Bytes that guests have sent and nobody has read, in one connection.
    pub waiting: usize,
    /// The same, all together.
    pub waiting_in_all: usize,
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
            channels_in_all: 2000,
            waiting: 8 << 20,
            waiting_in_all: 64 << 20,
        }
    }
}

/// Who counts as one address: of IPv6 all that share the first 64 bits, since everybody has so many.
fn one(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// What has been wrong lately, for each address and account. Memory is bounded, whatever comes.
#[derive(Debug, Default)]
pub struct Wrong(Mutex<BTreeMap<(IpAddr, Uid), Window>>);

#[derive(Debug)]
struct Window {
    began: Duration,
    wrong: u32,
}

impl Wrong {
    /// Whether a password from there is looked at at all.
    pub fn may_try(&self, from: IpAddr, account: Uid, limits: &Limits) -> bool {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.get(&(one(from), account)).is_none_or(|window| {
            window.wrong < limits.wrong_passwords || since_boot() >= window.began + limits.window
        })
    }

    /// Notes a wrong one. True when it was the last that is looked at.
    pub fn note(&self, from: IpAddr, account: Uid, limits: &Limits) -> bool {
        let now = since_boot();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows
            .entry((one(from), account))
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

/// Counts connections, all of them and those of strangers by address, and channels.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    all: usize,
    strangers: BTreeMap<IpAddr, usize>,
    channels: usize,
}

/// A channel that is counted, until it is dropped.
#[derive(Debug)]
pub struct ChannelPlace(Arc<Counts>);

/// A connection that is counted, until it is dropped.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Counts>,
    stranger: Option<IpAddr>,
}

impl Counts {
    /// A place for a stranger, if there is one.
    pub fn enter(self: &Arc<Counts>, from: IpAddr, limits: &Limits) -> Option<Place> {
        let from = one(from);
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

impl Counts {
    /// A place for one more channel, if there is one.
    pub fn open(self: &Arc<Counts>, limits: &Limits) -> Option<ChannelPlace> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (counted.channels < limits.channels_in_all).then(|| {
            counted.channels += 1;
            ChannelPlace(Arc::clone(self))
        })
    }
}

impl Drop for ChannelPlace {
    fn drop(&mut self) {
        let mut counted = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.channels = counted.channels.saturating_sub(1);
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
    fn addresses_of_one_net_count_as_one() {
        let (counts, wrong) = (Arc::new(Counts::default()), Wrong::default());
        let limits = Limits {
            strangers_of_one: 2,
            wrong_passwords: 2,
            ..Limits::default()
        };
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let (first, second, third) = ("2001:db8:1:2::1", "2001:db8:1:2:f::9", "2001:db8:1:2:3:4:5:6");
        let _first = counts.enter(address(first), &limits).unwrap();
        let _second = counts.enter(address(second), &limits).unwrap();
        assert!(counts.enter(address(third), &limits).is_none());
        assert!(counts.enter(address("2001:db8:1:3::1"), &limits).is_some());
        wrong.note(address(first), Uid(1), &limits);
        wrong.note(address(second), Uid(1), &limits);
        assert!(!wrong.may_try(address(third), Uid(1), &limits));
        assert!(wrong.may_try(address("2001:db8:1:3::1"), Uid(1), &limits));
        // IPv4 in IPv6 is IPv4: not all of it is one net.
        wrong.note(address("::ffff:192.0.2.1"), Uid(1), &limits);
        wrong.note(address("192.0.2.1"), Uid(1), &limits);
        assert!(!wrong.may_try(address("::ffff:192.0.2.1"), Uid(1), &limits));
        assert!(wrong.may_try(address("::ffff:192.0.2.2"), Uid(1), &limits));
    }

    #[test]
    fn ten_wrong_ones_lock_one_address_for_one_account() {
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
    #[test]
    fn channels_are_few_in_all() {
        let counts = Arc::new(Counts::default());
        let limits = Limits {
            channels_in_all: 2,
            ..Limits::default()
        };
        let first = counts.open(&limits).unwrap();
        let _second = counts.open(&limits).unwrap();
        assert!(counts.open(&limits).is_none());
        drop(first);
        assert!(counts.open(&limits).is_some());
    }
}
