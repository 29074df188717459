//! The answer to a write: a future for any runtime, or a blocking wait for none.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::error::{Error, WriteError};

enum State<R> {
    Waiting(Option<Waker>),
    Here(R),
    /// Taken already, or never to come.
    Gone,
}

struct Slot<R> {
    state: Mutex<State<R>>,
    arrived: Condvar,
}

impl<R> Slot<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, settled: State<R>) {
        let before = mem::replace(&mut *self.lock(), settled);
        self.arrived.notify_all();
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

type Shared<T, E> = Arc<Slot<Result<T, WriteError<E>>>>;

/// The result of a write, there once its batch is on disk.
///
/// Dropping it does not take the write back.
#[must_use = "a write is acknowledged by its answer only"]
pub struct Answer<T, E>(Shared<T, E>);

/// The end that gives the answer; dropped without one, the answer is [`Error::Closed`].
pub(super) struct Giver<T, E>(Option<Shared<T, E>>);

pub(super) fn pair<T, E>() -> (Giver<T, E>, Answer<T, E>) {
    let slot = Arc::new(Slot {
        state: Mutex::new(State::Waiting(None)),
        arrived: Condvar::new(),
    });
    (Giver(Some(Arc::clone(&slot))), Answer(slot))
}

impl<T, E> Giver<T, E> {
    pub(super) fn give(mut self, result: Result<T, WriteError<E>>) {
        if let Some(slot) = self.0.take() {
            slot.settle(State::Here(result));
        }
    }
}

impl<T, E> Drop for Giver<T, E> {
    fn drop(&mut self) {
        // A panic in a work ends the process (or goes up to the caller, inline): nobody is told before that.
        if std::thread::panicking() {
            return;
        }
        if let Some(slot) = self.0.take() {
            slot.settle(State::Gone);
        }
    }
}

impl<T, E> Answer<T, E> {
    /// Blocks this thread until the answer is there.
    ///
    /// # Errors
    /// Those of the write.
    pub fn wait(self) -> Result<T, WriteError<E>> {
        let mut state = self.0.lock();
        while let State::Waiting(_) = *state {
            state = self.0.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        take(&mut state)
    }

    /// Whether the answer is there.
    pub fn is_ready(&self) -> bool {
        !matches!(*self.0.lock(), State::Waiting(_))
    }
}

fn take<T, E>(state: &mut State<Result<T, WriteError<E>>>) -> Result<T, WriteError<E>> {
    match mem::replace(state, State::Gone) {
        State::Here(result) => result,
        State::Waiting(_) | State::Gone => Err(WriteError::Unavailable(Error::Closed)),
    }
}

impl<T, E> Future for Answer<T, E> {
    type Output = Result<T, WriteError<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock();
        match &mut *state {
            State::Waiting(waker) => {
                match waker {
                    Some(known) => known.clone_from(context.waker()),
                    None => *waker = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            State::Here(_) | State::Gone => Poll::Ready(take(&mut state)),
        }
    }
}

impl<T, E> fmt::Debug for Answer<T, E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Answer")
            .field("ready", &self.is_ready())
            .finish()
    }
}
