//! The service as a whole: made from settings and ports, it answers requests and pumps.

use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};
use trainyard_domain::state::JobEvent;
use trainyard_store::{Role, StoreError, Token};

use crate::access;
use crate::exports::Exporting;
use crate::login::Login;
use crate::metrics::Metrics;
use crate::ports::Ports;
use crate::reconcile::{self, Pump, PumpError};
use crate::settings::Settings;
use crate::sign_in::Attempts;

/// How long the pump sleeps when nothing wakes it: timed looks and deadlines are kept this exactly.
const TICK: Duration = Duration::from_millis(500);
/// How often a round of the pump looks at everything there is, as after a restart.
const FULL_ROUND_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// The service.
pub struct App {
    pub(crate) settings: Settings,
    pub(crate) ports: Ports,
    pub(crate) metrics: Metrics,
    pub(crate) attempts: Attempts,
    pub(crate) login: Login,
    pub(crate) exporting: Exporting,
    waker: Arc<Waker>,
    on_stop: Box<dyn Fn(Stop) + Send + Sync>,
    gc: OnceLock<GcHook>,
}

/// Shows what nobody needs any more, and deletes it if it is given `true`; a report for the caller.
pub type GcHook = Box<dyn Fn(bool) -> BoxFuture<'static, GcOutcome> + Send + Sync>;
/// What came of it.
pub type GcOutcome = Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>>;

/// What `trainyard stop` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// End nodes and jobs too.
    pub nodes: bool,
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store failed.
    #[error("the store could not be read at the start")]
    Store(#[from] StoreError),
}

impl App {
    /// Makes the service. `on_stop` is called when somebody asks it to stop.
    pub fn new(settings: Settings, ports: Ports, on_stop: Box<dyn Fn(Stop) + Send + Sync>) -> Arc<App> {
        let waker = Arc::new(Waker::default());
        let wake = Arc::clone(&waker);
        let wake = Arc::new(move || wake.wake());
        ports.engine.on_change(wake.clone());
        if let Some(vaults) = &ports.vaults {
            vaults.on_change(wake);
        }
        Arc::new(App {
            settings,
            ports,
            metrics: Metrics::new(),
            attempts: Attempts::default(),
            login: Login::default(),
            exporting: Exporting::default(),
            waker,
            on_stop,
            gc: OnceLock::new(),
        })
    }

    /// Makes sure that a token with this text is an owner of everything: the admin token.
    ///
    /// # Errors
    /// The store's.
    pub fn ensure_admin_token(&self, text: &str) -> Result<(), StartError> {
        let token = Token {
            id: "admin".to_owned(),
            name: "admin".to_owned(),
            hash: access::hash(text),
            role: Role::Owner,
            scope: "/".to_owned(),
            created: self.ports.clock.now(),
        };
        let write = self.ports.store.write(move |tx| -> Result<(), StoreError> {
            if tx.token(&token.hash)?.is_none() {
                tx.remove_token(&token.id)?;
                tx.insert_token(&token)?;
            }
            Ok(())
        });
        Ok(write.wait().map_err(|error| error.flatten())?)
    }

    /// Gives every running job back to the line before all nodes are ended on purpose, so that this does not
    /// count as the loss of a node. The pump must have ended.
    ///
    /// # Errors
    /// The store's.
    pub fn requeue_all(&self) -> Result<(), StoreError> {
        let now = self.ports.clock.now_in_millis();
        let write = self.ports.store.write(move |tx| -> Result<(), StoreError> {
            for mut job in tx.all_jobs_on_nodes()? {
                reconcile::apply_to_job(tx, &mut job, JobEvent::Requeue, now, 0)?;
            }
            Ok(())
        });
        write.wait().map_err(|error| error.flatten())
    }

    /// Has the pump look soon.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Sets how what nobody needs any more is found and deleted; the first call counts.
    pub fn set_gc(&self, hook: GcHook) {
        let _ = self.gc.set(hook);
    }

    pub(crate) fn gc(&self) -> Option<&GcHook> {
        self.gc.get()
    }

    pub(crate) fn ask_to_stop(&self, stop: Stop) {
        (self.on_stop)(stop);
    }

    /// A pump of this service; one at a time.
    pub fn pump(self: &Arc<App>) -> Pump {
        let waker = Arc::clone(&self.waker);
        Pump::new(
            self.settings.clone(),
            self.ports.clone(),
            Arc::new(move || waker.wake()),
        )
    }

    /// Pumps on this thread until [`App::end_pump`].
    pub fn run_pump(self: &Arc<App>) {
        let mut pump = self.pump();
        let mut full_rounds = FullRounds::default();
        loop {
            match pump.round(full_rounds.is_due(self.ports.clock.now())) {
                Ok(progress) => {
                    if progress.nodes {
                        self.look_after_logins();
                    }
                    if progress.file_servers {
                        self.look_after_exports();
                    }
                    if progress.again {
                        self.wake();
                    }
                }
                Err(error) => self.pump_failed(&error),
            }
            if self.waker.wait(TICK) == Woken::End {
                break;
            }
        }
        info!("the reconcilers have stopped");
    }

    /// Ends [`App::run_pump`].
    pub fn end_pump(&self) {
        self.waker.end();
    }

    fn pump_failed(&self, error: &PumpError) {
        warn!(error = %error, cause = ?std::error::Error::source(error), "a round of the reconcilers failed; it is tried again");
    }
}

/// When rounds look at everything: by the clock, however often the pump is woken.
#[derive(Default)]
struct FullRounds {
    last: Option<Timestamp>,
}

impl FullRounds {
    /// Whether the round that begins at `now` is a full one. A clock that was set back counts as time passed.
    fn is_due(&mut self, now: Timestamp) -> bool {
        let since = self.last.map(|last| now.duration_since(last).abs());
        let due = since.is_none_or(|since| since >= FULL_ROUND_EVERY);
        if due {
            self.last = Some(now);
        }
        due
    }
}

/// A wake-up says "look", never "what".
#[derive(Default)]
struct Waker {
    state: Mutex<WakerState>,
    changed: Condvar,
}

#[derive(Default)]
struct WakerState {
    woken: bool,
    ended: bool,
}

/// Why a sleep is over.
#[derive(PartialEq, Eq)]
enum Woken {
    /// Something woke it, or the time is over.
    Look,
    /// No round is wanted any more.
    End,
}

impl Waker {
    fn wake(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).woken = true;
        self.changed.notify_one();
    }

    fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.changed.notify_one();
    }

    fn wait(&self, at_most: Duration) -> Woken {
        let guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .changed
            .wait_timeout_while(guard, at_most, |state| !state.woken && !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        state.woken = false;
        if state.ended { Woken::End } else { Woken::Look }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_full_at_first_and_then_by_the_clock() {
        let mut rounds = FullRounds::default();
        let at = |millis| Timestamp::from_millisecond(1_000_000 + i64::from(millis)).unwrap();
        let due =
            [0, 1, 9_999, 10_000, 10_001, 20_000, 15_000, 9_000].map(|millis| rounds.is_due(at(millis)));
        assert_eq!(due, [true, false, false, true, false, true, false, true]);
    }
}
