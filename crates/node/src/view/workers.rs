//! Threads that do what may have to wait for a volume, so that the node itself never does.
//!
//! Whatever touches a job's paths may hang as long as a store does. Each such piece of work has a thread for itself; one
//! that is stuck keeps no other.

use std::any::Any;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

type Work = Box<dyn FnOnce() + Send>;
type Done<T> = Result<T, Box<dyn Any + Send>>;

/// Most threads. If all are stuck, more work waits.
const MOST: usize = 64;

/// Makes one more thread that runs this, with the rights of jobs and where they are.
type Maker = Box<dyn Fn(Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync>;

/// The threads.
pub struct Workers {
    shared: Arc<Shared>,
    maker: Maker,
    /// Readable when something was done.
    bell: UnixStream,
}

struct Shared {
    state: Mutex<State>,
    more: Condvar,
    bell: UnixStream,
}

#[derive(Default)]
struct State {
    todo: VecDeque<Work>,
    idle: usize,
    threads: usize,
    over: bool,
}

/// Something being done.
#[derive(Debug)]
pub struct Doing<T>(Receiver<Done<T>>);

impl<T> Doing<T> {
    /// What came of it, once it is done; then nothing more comes.
    pub fn poll(&mut self) -> Option<T> {
        match self.0.try_recv() {
            Ok(done) => Some(taken(done)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => lost(),
        }
    }

    fn wait(self) -> T {
        self.0.recv().map_or_else(|_| lost(), taken)
    }

    fn wait_for(self, time: Duration) -> Result<T, Doing<T>> {
        match self.0.recv_timeout(time) {
            Ok(done) => Ok(taken(done)),
            Err(RecvTimeoutError::Timeout) => Err(self),
            Err(RecvTimeoutError::Disconnected) => lost(),
        }
    }
}

fn taken<T>(done: Done<T>) -> T {
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Without it nothing of a job can be done: the node ends as if it had been killed.
fn lost() -> ! {
    resume_unwind(Box::new("a thread that does the work of jobs has ended"))
}

impl Workers {
    /// Threads that `maker` makes when they are needed.
    pub fn new(maker: Maker) -> io::Result<Workers> {
        let (bell, ring) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ring.set_nonblocking(true)?;
        Ok(Workers {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                more: Condvar::new(),
                bell: ring,
            }),
            maker,
            bell,
        })
    }

    /// Readable when something was done.
    pub fn bell(&self) -> &UnixStream {
        &self.bell
    }

    /// Begins something.
    pub fn begin<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> Doing<T> {
        let (told, done) = channel::<Done<T>>();
        let shared = Arc::clone(&self.shared);
        self.submit(Box::new(move || {
            let _ = told.send(catch_unwind(AssertUnwindSafe(what)));
            // Full is as good as rung.
            let _ = (&shared.bell).write(&[1]);
        }));
        Doing(done)
    }

    /// Has something done and waits for it: only what cannot hang.
    pub fn run<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        self.begin(what).wait()
    }

    /// Has something done and waits so long.
    pub fn within<T: Send + 'static>(
        &self,
        time: Duration,
        what: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Doing<T>> {
        self.begin(what).wait_for(time)
    }

    fn submit(&self, work: Work) {
        let mut state = self.shared.lock();
        state.todo.push_back(work);
        if state.todo.len() <= state.idle || state.threads >= MOST {
            self.shared.more.notify_one();
            return;
        }
        let shared = Arc::clone(&self.shared);
        match (self.maker)(Box::new(move || shared.serve())) {
            Ok(()) => state.threads += 1,
            Err(error) => crate::say(format_args!("no thread can be made for a job's work: {error}")),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut state = self.lock();
        while !state.over {
            let Some(work) = state.todo.pop_front() else {
                state.idle += 1;
                state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            drop(state);
            work();
            state = self.lock();
        }
    }
}

/// Those that are idle end; one that is stuck ends when it no longer is.
impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.more.notify_all();
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

/// A maker on the machine as it is.
pub fn plainly() -> Maker {
    Box::new(|work| {
        let named = thread::Builder::new().name("worker".to_owned());
        named.spawn(work).map(drop)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_is_stuck_keeps_no_other_and_comes_later() {
        let workers = Workers::new(plainly()).unwrap();
        let (free, stuck) = sync_channel::<()>(0);
        let held = workers.begin(move || stuck.recv().is_ok());
        assert_eq!(workers.run(|| 7), 7);
        let mut held = held.wait_for(Duration::ZERO).unwrap_err();
        assert!(held.poll().is_none());
        free.send(()).unwrap();
        assert_eq!(held.wait_for(LONG).ok(), Some(true));
        assert!(workers.shared.lock().threads <= 2, "threads serve again");
    }
}
