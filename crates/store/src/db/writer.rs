//! The one thread that writes, and the line before it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::batch::{self, Limits, WriteConnection};
use super::error::{Error, OpenError};
use super::stats::Recorder;
use super::work::Work;

/// Works in the order they came.
pub(super) struct Queue {
    line: Mutex<Line>,
    changed: Condvar,
    limit: usize,
}

#[derive(Default)]
struct Line {
    works: VecDeque<Box<dyn Work>>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            line: Mutex::default(),
            changed: Condvar::new(),
            limit: limit.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues `work`, or answers it when it cannot wait here.
    pub(super) fn push(&self, work: Box<dyn Work>) {
        let mut line = self.lock();
        let refusal = if line.closed {
            Error::Closed
        } else if line.works.len() >= self.limit {
            Error::QueueFull { limit: self.limit }
        } else {
            line.works.push_back(work);
            drop(line);
            return self.changed.notify_all();
        };
        drop(line);
        work.answer(Err(&refusal));
    }

    pub(super) fn len(&self) -> usize {
        self.lock().works.len()
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The next work, waited for; `None` when the line is closed and empty.
    fn wait(&self) -> Option<Box<dyn Work>> {
        let mut line = self.lock();
        loop {
            if let Some(work) = line.works.pop_front() {
                return Some(work);
            }
            if line.closed {
                return None;
            }
            line = self.changed.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take(&self) -> Option<Box<dyn Work>> {
        self.lock().works.pop_front()
    }
}

/// The running writer thread.
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(
        writer: WriteConnection,
        limits: Limits,
        queue: Arc<Queue>,
        recorder: Arc<Recorder>,
    ) -> Result<Self, OpenError> {
        let line = Arc::clone(&queue);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let work = AssertUnwindSafe(|| work_off(&writer, &line, &limits, &recorder));
                if let Err(panic) = catch_unwind(work) {
                    end_process(panic.as_ref());
                }
                close(writer);
            })
            .map_err(OpenError::Thread)?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Takes no more works, lets the queued ones finish and waits for the thread's end.
    pub(super) fn stop(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may be dropped by a work or a hook: the writer cannot wait for itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            // A panic has ended the process before this.
            let _ = thread.join();
        }
    }
}

fn work_off(writer: &WriteConnection, queue: &Queue, limits: &Limits, recorder: &Recorder) {
    while let Some(first) = queue.wait() {
        batch::run(writer, first, || queue.take(), limits, recorder).announce();
    }
}

/// The state in memory of a writer that panicked cannot be trusted; the state on disk can. Jobs go on, and
/// the next start of the server finds them.
fn end_process(panic: &(dyn std::any::Any + Send)) -> ! {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(
        message,
        "the writer of the database panicked; the process ends, running jobs go on"
    );
    std::process::abort()
}

/// Leaves a database of one file: what is in the write-ahead log goes into it.
fn close(writer: WriteConnection) {
    let conn = writer.conn;
    let checkpoint = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    match checkpoint {
        Ok(false) => {}
        // The next start reads the log: nothing is lost, it only takes longer.
        Ok(true) => tracing::warn!("the write-ahead log stays, another process reads the database"),
        Err(error) => tracing::warn!(%error, "the write-ahead log stays"),
    }
    if let Err((_, error)) = conn.close() {
        tracing::warn!(%error, "the database could not be closed in order");
    }
}
