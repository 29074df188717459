//! One unit of writing: what a caller hands to the writer.

use std::ops::Deref;

use rusqlite::Connection;

use super::answer::{Answer, Giver, pair};
use super::error::{Error, WriteError};

/// Something to do once, after the commit.
pub type Hook = Box<dyn FnOnce() + Send>;

/// The open transaction a work writes in. It is the writer's: a work neither commits nor rolls back.
///
/// Foreign keys must not be `DEFERRABLE INITIALLY DEFERRED`: they would be checked at the commit, where one
/// work would spoil its whole batch.
pub struct Write<'a> {
    conn: &'a Connection,
    hooks: &'a mut Vec<Hook>,
}

impl<'a> Write<'a> {
    pub(super) fn new(conn: &'a Connection, hooks: &'a mut Vec<Hook>) -> Self {
        Self { conn, hooks }
    }

    /// The connection; `prepare_cached` is the way to go.
    pub fn conn(&self) -> &Connection {
        self.conn
    }

    /// Does `hook` after the commit, before the answer; never if the work refuses or the commit fails.
    /// It runs on the writer's thread: it may wake somebody, it must not wait.
    pub fn on_commit(&mut self, hook: Hook) {
        self.hooks.push(hook);
    }
}

impl Deref for Write<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

/// A queued work, its types forgotten.
pub(super) trait Work: Send {
    /// Runs it; whether it is to be kept.
    fn run(&mut self, write: &mut Write<'_>) -> bool;

    /// Tells its caller how it went, `batch` being the fate of all that ran with it.
    fn answer(self: Box<Self>, batch: Result<(), &Error>);

    /// Tells its caller what it answered by itself, when it was it that lost the transaction.
    fn answer_lost(self: Box<Self>, cause: &Error);
}

struct Job<F, T, E> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    giver: Giver<T, E>,
}

pub(super) fn job<T, E, F>(work: F) -> (Box<dyn Work>, Answer<T, E>)
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce(&mut Write<'_>) -> Result<T, E> + Send + 'static,
{
    let (giver, answer) = pair();
    (
        Box::new(Job {
            work: Some(work),
            result: None,
            giver,
        }),
        answer,
    )
}

impl<T, E, F> Work for Job<F, T, E>
where
    T: Send,
    E: Send,
    F: FnOnce(&mut Write<'_>) -> Result<T, E> + Send,
{
    fn run(&mut self, write: &mut Write<'_>) -> bool {
        self.result = self.work.take().map(|work| work(write));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, batch: Result<(), &Error>) {
        self.giver.give(match (batch, self.result) {
            (Ok(()), Some(result)) => result.map_err(WriteError::Refused),
            (Err(cause), _) => Err(WriteError::from_cause(cause)),
            (Ok(()), None) => Err(WriteError::Unavailable(Error::Closed)),
        });
    }

    fn answer_lost(self: Box<Self>, cause: &Error) {
        self.giver.give(match self.result {
            Some(Err(error)) => Err(WriteError::Refused(error)),
            Some(Ok(_)) | None => Err(WriteError::from_cause(cause)),
        });
    }
}
