//! How often somebody may try a wrong secret.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Wrong attempts that are answered in one window, for one client id from one address.
const ALLOWED: u32 = 10;
/// How long a window is, in seconds.
const WINDOW: i64 = 60;
/// Most windows that are remembered; the oldest is forgotten for a new one.
const REMEMBERED: usize = 1000;
/// Longest part of a client id that is remembered: an id of ours is shorter.
const ID_BYTES: usize = 64;

type Who = (Option<IpAddr>, Vec<u8>);

struct Window {
    began: i64,
    wrong: u32,
}

/// Wrong attempts of the last while. Memory is bounded, whatever comes.
#[derive(Default)]
pub struct Attempts(Mutex<BTreeMap<Who, Window>>);

impl Attempts {
    /// How many seconds are to wait before another attempt, if too many were wrong. `now` is in seconds.
    pub fn wait(&self, peer: Option<IpAddr>, client: &str, now: i64) -> Option<i64> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&who(peer, client))?;
        let left = window.left(now)?;
        (window.wrong >= ALLOWED).then_some(left)
    }

    /// Notes a wrong attempt.
    pub fn note(&self, peer: Option<IpAddr>, client: &str, now: i64) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let who = who(peer, client);
        if let Some(window) = windows.get_mut(&who).filter(|window| window.left(now).is_some()) {
            window.wrong = window.wrong.saturating_add(1);
            return;
        }
        windows.insert(who, Window { began: now, wrong: 1 });
        if windows.len() > REMEMBERED {
            windows.retain(|_, window| window.left(now).is_some());
            let oldest = windows.iter().min_by_key(|(_, window)| window.began);
            if let Some(oldest) = oldest
                .map(|(who, _)| who.clone())
                .filter(|_| windows.len() > REMEMBERED)
            {
                windows.remove(&oldest);
            }
        }
    }
}

impl Window {
    /// Seconds that are left of it, if any. A clock that was set back ends it too.
    fn left(&self, now: i64) -> Option<i64> {
        let gone = now.saturating_sub(self.began);
        (0..WINDOW).contains(&gone).then(|| WINDOW - gone)
    }
}

fn who(peer: Option<IpAddr>, client: &str) -> Who {
    let bytes = client.bytes().take(ID_BYTES).map(|b| b.to_ascii_lowercase());
    (peer, bytes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_ones_a_minute_for_each_id_and_address() {
        let attempts = Attempts::default();
        let here = Some(IpAddr::from([127, 0, 0, 1]));
        for _ in 0..ALLOWED {
            assert_eq!(attempts.wait(here, "Id", 1000), None);
            attempts.note(here, "id", 1000);
        }
        assert_eq!(attempts.wait(here, "ID", 1059), Some(1));
        assert_eq!(attempts.wait(here, "other", 1059), None);
        assert_eq!(attempts.wait(None, "id", 1059), None);
        assert_eq!(attempts.wait(here, "id", 1060), None, "the window is over");
        assert_eq!(attempts.wait(here, "id", 5), None, "the clock was set back");
        attempts.note(here, "id", 1060);
        assert_eq!(attempts.wait(here, "id", 1060), None, "a new window counts anew");
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_is_forgotten() {
        let attempts = Attempts::default();
        for n in 0..REMEMBERED as i64 + 50 {
            attempts.note(None, &format!("{n}{}", "x".repeat(1000)), 1000 + n / 100);
        }
        let windows = attempts.0.lock().unwrap();
        assert_eq!(windows.len(), REMEMBERED);
        assert!(windows.keys().all(|(_, id)| id.len() <= ID_BYTES));
        assert!(windows.values().all(|window| window.began >= 1000));
    }
}
