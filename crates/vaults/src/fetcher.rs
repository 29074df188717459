//! Fetching beside whoever asks.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use trainyard_domain::secret::Secret;
use trainyard_domain::spec::KeyVaultSecretReference;

use crate::Monotonic;
use crate::error::FetchError;
use crate::vaults::Vaults;

/// How long the end of the server waits for commands to be ended.
const END: Duration = Duration::from_secs(5);

/// What came of a wish: a secret for each reference in its order, or which could not be had and why.
pub type Fetched = Result<Vec<Secret>, (usize, FetchError)>;

/// Takes what came of a wish, on a thread of the fetcher's.
pub type Done = Box<dyn FnOnce(Fetched) + Send>;

/// Fetches secrets on threads of its own: as many wishes at once as its vaults allow, the others in line. Cheap to
/// clone.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    vaults: Vaults,
    clock: Monotonic,
    line: Mutex<Line>,
    changed: Condvar,
    wake: Mutex<Arc<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct Line {
    wishes: VecDeque<(Vec<KeyVaultSecretReference>, Done)>,
    threads: usize,
    ended: bool,
}

impl Fetcher {
    /// A fetcher from these vaults.
    pub fn new(vaults: Vaults, clock: Monotonic) -> Fetcher {
        Fetcher(Arc::new(Inner {
            vaults,
            clock,
            line: Mutex::default(),
            changed: Condvar::new(),
            wake: Mutex::new(Arc::new(|| {})),
        }))
    }

    /// Has `wake` called whenever a wish has ended.
    pub fn on_change(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        *self.0.wake.lock().unwrap_or_else(PoisonError::into_inner) = wake;
    }

    /// Asks for secrets; `done` gets them, or the first that cannot be had. After [`Fetcher::end`] it is not called.
    pub fn ask(&self, references: Vec<KeyVaultSecretReference>, done: Done) {
        let mut line = self.0.lock();
        if line.ended {
            return;
        }
        line.wishes.push_back((references, done));
        if line.threads < self.0.vaults.parallel() {
            let inner = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("key-vaults".to_owned());
            match thread.spawn(move || inner.work()) {
                Ok(_) => line.threads += 1,
                // Whoever works takes it too; with nobody at work it waits for the next wish.
                Err(error) => tracing::error!(%error, "there is no thread to fetch secrets"),
            }
        }
    }

    /// Drops what is in the line, ends the commands that run, and waits for that a little.
    pub fn end(&self) {
        let mut line = self.0.lock();
        line.ended = true;
        line.wishes.clear();
        self.0.changed.notify_all();
        let busy = |line: &mut Line| line.threads > 0;
        drop(self.0.changed.wait_timeout_while(line, END, busy));
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        // However a wish ends, by a panic too, this thread counts no more.
        let _leaving = Leaving(self);
        loop {
            let Some((references, done)) = self.lock().wishes.pop_front() else {
                return;
            };
            let fetched = self.fetch_all(&references);
            if !self.lock().ended {
                done(fetched);
                let wake = Arc::clone(&self.wake.lock().unwrap_or_else(PoisonError::into_inner));
                wake();
            }
        }
    }

    fn fetch_all(&self, references: &[KeyVaultSecretReference]) -> Fetched {
        let mut fetched: Vec<Secret> = Vec::with_capacity(references.len());
        for (i, reference) in references.iter().enumerate() {
            // One secret may stand in several variables.
            let before = references[..i].iter().position(|other| other == reference);
            let secret = match before.and_then(|i| fetched.get(i)) {
                Some(secret) => secret.clone(),
                None => {
                    let patience = Patience::new(self);
                    let fetched = self.vaults.fetch(reference, &patience);
                    fetched.map_err(|error| (i, error))?
                }
            };
            fetched.push(secret);
        }
        Ok(fetched)
    }
}

struct Leaving<'a>(&'a Inner);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
        self.0.changed.notify_all();
    }
}

/// How long one secret is waited for.
pub(crate) struct Patience<'a> {
    inner: &'a Inner,
    until: Duration,
}

impl<'a> Patience<'a> {
    fn new(inner: &'a Inner) -> Patience<'a> {
        Patience {
            inner,
            until: (inner.clock)() + inner.vaults.timeout(),
        }
    }

    /// What is left, or that it is over.
    pub fn left(&self) -> Result<Duration, FetchError> {
        if self.inner.lock().ended {
            return Err(FetchError::Ended);
        }
        let left = self.until.saturating_sub((self.inner.clock)());
        if left.is_zero() {
            return Err(FetchError::TooLate {
                seconds: self.inner.vaults.timeout().as_secs(),
            });
        }
        Ok(left)
    }

    /// Waits so long; false when that is longer than what is left.
    pub fn pause(&self, wait: Duration) -> Result<bool, FetchError> {
        if self.left()? <= wait {
            return Ok(false);
        }
        let line = self.inner.lock();
        let going_on = |line: &mut Line| !line.ended;
        drop(self.inner.changed.wait_timeout_while(line, wait, going_on));
        self.left().map(|_| true)
    }
}
