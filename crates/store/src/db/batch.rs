//! Group commit: many works, each in a savepoint, one transaction, one sync, then the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::Error;
use super::settings::{Monotonic, Settings};
use super::stats::Recorder;
use super::work::{Hook, Work, Write};

/// A connection that writes, with a guard against works that would commit by themselves.
///
/// When SQLite loses the transaction in the middle of a work (disk full), each further statement of that
/// work would be a transaction of its own; the guard makes those fail.
pub(super) struct WriteConnection {
    pub(super) conn: Connection,
    in_work: Arc<AtomicBool>,
}

impl WriteConnection {
    pub(super) fn new(conn: Connection) -> rusqlite::Result<Self> {
        let mut conn = conn;
        let in_work = Arc::new(AtomicBool::new(false));
        let refuse = Arc::clone(&in_work);
        conn.commit_hook(Some(move || refuse.load(Ordering::Relaxed)))?;
        Ok(Self { conn, in_work })
    }

    fn guard(&self) -> InWork<'_> {
        self.in_work.store(true, Ordering::Relaxed);
        InWork(&self.in_work)
    }
}

struct InWork<'a>(&'a AtomicBool);

impl Drop for InWork<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// How much one batch may take.
pub(super) struct Limits {
    pub(super) works: usize,
    pub(super) time: Duration,
    pub(super) clock: Monotonic,
}

impl Limits {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            works: settings.max_batch.max(1),
            time: settings.max_batch_time,
            clock: Arc::clone(&settings.clock),
        }
    }
}

/// A batch whose fate is known and whose callers are still to be told.
#[must_use = "the callers wait for their answers"]
pub(super) struct Settled {
    works: Vec<Box<dyn Work>>,
    /// The work in which the transaction was lost.
    culprit: Option<Box<dyn Work>>,
    hooks: Vec<Hook>,
    outcome: Result<(), Error>,
}

impl Settled {
    /// Runs the hooks of a committed batch, then answers everyone.
    pub(super) fn announce(self) {
        if self.outcome.is_ok() {
            self.hooks.into_iter().for_each(|hook| hook());
        }
        let outcome = self.outcome.as_ref().copied();
        self.works.into_iter().for_each(|work| work.answer(outcome));
        if let (Some(culprit), Err(cause)) = (self.culprit, outcome) {
            culprit.answer_lost(cause);
        }
    }
}

/// Works run so far in an open transaction.
#[derive(Default)]
struct Ran {
    works: Vec<Box<dyn Work>>,
    hooks: Vec<Hook>,
    refused: usize,
}

/// Runs `first` and what `next` gives in one transaction and commits it.
pub(super) fn run(
    writer: &WriteConnection,
    first: Box<dyn Work>,
    next: impl FnMut() -> Option<Box<dyn Work>>,
    limits: &Limits,
    recorder: &Recorder,
) -> Settled {
    let mut ran = Ran::default();
    let mut culprit = None;
    let outcome = fill_and_commit(writer, first, next, limits, &mut ran, &mut culprit);
    let works = ran.works.len() + usize::from(culprit.is_some());
    let outcome = match outcome {
        Ok(took) => {
            recorder.committed(works, ran.refused, took);
            Ok(())
        }
        Err(error) => {
            tracing::error!(works, error = %error, source = ?error, "a batch of writes could not be stored");
            recorder.failed(works);
            Err(error)
        }
    };
    Settled {
        works: ran.works,
        culprit,
        hooks: ran.hooks,
        outcome,
    }
}

/// The time the commit took.
fn fill_and_commit(
    writer: &WriteConnection,
    first: Box<dyn Work>,
    mut next: impl FnMut() -> Option<Box<dyn Work>>,
    limits: &Limits,
    ran: &mut Ran,
    culprit: &mut Option<Box<dyn Work>>,
) -> Result<Duration, Error> {
    let began = (limits.clock)();
    // Rolls back when dropped, also by a panic.
    let transaction = match Transaction::new_unchecked(&writer.conn, TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            ran.works.push(first);
            return Err(error.into());
        }
    };
    let mut waiting = Some(first);
    while let Some(mut work) = waiting {
        let kept = run_one(writer, work.as_mut(), &mut ran.hooks);
        if let Ok(false) = kept {
            ran.refused += 1;
        }
        if writer.conn.is_autocommit() {
            *culprit = Some(work);
            return Err(Error::TransactionLost);
        }
        ran.works.push(work);
        kept?;
        let room = ran.works.len() < limits.works && (limits.clock)().saturating_sub(began) < limits.time;
        waiting = if room { next() } else { None };
    }
    let before = (limits.clock)();
    transaction.commit()?;
    Ok((limits.clock)().saturating_sub(before))
}

/// Runs one work in a savepoint; whether it was kept.
fn run_one(writer: &WriteConnection, work: &mut dyn Work, hooks: &mut Vec<Hook>) -> rusqlite::Result<bool> {
    let conn = &writer.conn;
    statement(conn, "SAVEPOINT work")?;
    let mut own_hooks = Vec::new();
    let guard = writer.guard();
    let keep = work.run(&mut Write::new(conn, &mut own_hooks));
    drop(guard);
    if conn.is_autocommit() {
        return Ok(false);
    }
    if keep {
        hooks.append(&mut own_hooks);
    } else {
        statement(conn, "ROLLBACK TO work")?;
    }
    statement(conn, "RELEASE work")?;
    Ok(keep)
}

fn statement(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}
