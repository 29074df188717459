//! The thread that does what is done where jobs are and with their rights.
//!
//! Rights and mount namespaces belong to threads. This one gave its own up; what it starts has as few. The children that
//! it starts are the process's: any thread may take note of their end.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::isolation::Isolation;

use super::target::Target;
use super::{rights, sight};

type Work = Box<dyn FnOnce() + Send>;

/// The way to that thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Hands(Sender<Work>);

impl Hands {
    /// Makes the sight of jobs and a thread that stands in it; with it come the directories in memory that are the
    /// node's own there.
    pub fn new(isolation: &Isolation, folder: &Path) -> io::Result<(Hands, Vec<Target>)> {
        let (works, todo) = channel::<Work>();
        let (told, ready) = channel();
        let (isolation, folder) = (isolation.clone(), folder.to_owned());
        thread::Builder::new().name("hands".to_owned()).spawn(move || {
            let reduced = |own| rights::reduce(isolation.account.as_ref()).map(|()| own);
            let made = sight::make(&isolation, &folder).and_then(reduced);
            let failed = made.is_err();
            if told.send(made).is_err() || failed {
                return;
            }
            todo.into_iter().for_each(|work| work());
        })?;
        let own = ready.recv().map_err(|_| ended())??;
        Ok((Hands(works), own))
    }

    /// Has something done there, and waits for it.
    pub fn run<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        let (told, done) = channel::<Result<T, Box<dyn Any + Send>>>();
        let work = move || {
            let _ = told.send(catch_unwind(AssertUnwindSafe(what)));
        };
        let sent = self.0.send(Box::new(work)).map_err(|_| ended());
        match sent.and_then(|()| done.recv().map_err(|_| ended())) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => resume_unwind(panic),
            // Without it nothing of a job can be done: the node ends as if it had been killed.
            Err(error) => resume_unwind(Box::new(error.to_string())),
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that does the work of jobs has ended")
}
