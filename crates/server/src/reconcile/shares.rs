//! Whether the shares in stores elsewhere are there.
//!
//! A store may take its time to answer, and rounds must not: each share is looked for on a thread. Until it has answered,
//! what waits for it is not told to the engine; then the pump is woken for a full round, which tells it again.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use jiff::{SignedDuration, Timestamp};
use tracing::warn;
use trainyard_storage::{AccountName, Kind, Remote, ShareName};

/// How long a share that was found counts as there.
const FOUND_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How long one that was not found counts as missing: all that waited for it hear it from one look.
const MISSING_FOR: SignedDuration = SignedDuration::from_secs(10);
/// How many shares are known of at a time.
const KNOWN: usize = 1000;
/// How many are looked for at a time.
const LOOKS_AT_A_TIME: usize = 16;

type Key = (AccountName, Kind, ShareName);

/// What is known of a share.
enum State {
    /// It is being looked for.
    Asked,
    /// The answer, which no round has seen yet.
    Answered(Result<(), String>),
    /// The answer, and how long it counts.
    Known(Result<(), String>, Timestamp),
}

/// What a look says.
pub(super) enum Look {
    /// It is there.
    There,
    /// It cannot be had, and why.
    Missing(String),
    /// That is not known yet.
    Waits,
}

/// What is known of shares in stores elsewhere.
pub(super) struct Shares {
    states: Arc<Mutex<BTreeMap<Key, State>>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Shares {
    /// Nothing is known. `wake` is called with every answer.
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Shares {
        Shares {
            states: Arc::default(),
            wake,
        }
    }

    /// Whether answers came since the last call, which count from now on.
    pub fn have_news(&self, now: Timestamp) -> bool {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = false;
        for state in states.values_mut() {
            if let State::Answered(answer) = state {
                let holds = if answer.is_ok() { FOUND_FOR } else { MISSING_FOR };
                *state = State::Known(answer.clone(), now + holds);
                news = true;
            }
        }
        news
    }

    /// Whether a share is there, as far as that is known; if it is not, it is looked for.
    pub fn look(
        &self,
        remote: &Arc<Remote>,
        account: &AccountName,
        kind: Kind,
        share: &ShareName,
        now: Timestamp,
    ) -> Look {
        let key = (account.clone(), kind, share.clone());
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        match states.get(&key) {
            Some(State::Asked | State::Answered(_)) => return Look::Waits,
            Some(State::Known(Ok(()), until)) if now < *until => return Look::There,
            Some(State::Known(Err(why), until)) if now < *until => return Look::Missing(why.clone()),
            Some(State::Known(..)) | None => {}
        }
        if states.len() >= KNOWN {
            states.retain(|_, state| !matches!(state, State::Known(..)));
        }
        // Whatever finds no place now is told again with the answer of one that has.
        let asked = states.values().filter(|state| matches!(state, State::Asked));
        if asked.count() < LOOKS_AT_A_TIME && self.ask(Arc::clone(remote), key.clone(), now) {
            states.insert(key, State::Asked);
        }
        Look::Waits
    }

    /// Looks on a thread; whether there is one.
    fn ask(&self, remote: Arc<Remote>, key: Key, now: Timestamp) -> bool {
        let (states, wake) = (Arc::clone(&self.states), Arc::clone(&self.wake));
        let look = move || {
            let asked = catch_unwind(AssertUnwindSafe(|| remote.ensure(key.1, &key.2, now)));
            // Without an answer, what waits for it would wait for ever.
            let answer = match asked {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err("The look for it panicked; the log of the server says where.".to_owned()),
            };
            let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
            states.insert(key, State::Answered(answer));
            drop(states);
            wake();
        };
        let started = thread::Builder::new().name("shares".to_owned()).spawn(look);
        if let Err(error) = &started {
            warn!(%error, "there is no thread to look for a share; it is tried again");
        }
        started.is_ok()
    }
}
