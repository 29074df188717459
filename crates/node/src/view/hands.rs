//! The thread from which all come that do what is done where jobs are and with their rights.
//!
//! Rights and mount namespaces belong to threads. This one gave its own up; threads and processes that it makes have as
//! few. The children that they start are the process's: any thread may take note of their end.

use std::io;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::isolation::Isolation;

use super::target::Target;
use super::workers::Workers;
use super::{rights, sight};

type Work = Box<dyn FnOnce() + Send>;

/// Makes the sight of jobs, and workers that stand in it; with them come the directories in memory that are the node's own
/// there.
pub fn make(isolation: &Isolation, folder: &Path) -> io::Result<(Workers, Vec<Target>)> {
    let (wanted, todo) = channel::<Work>();
    let (told, ready) = channel();
    let (isolation, folder) = (isolation.clone(), folder.to_owned());
    thread::Builder::new().name("hands".to_owned()).spawn(move || {
        let reduced = |own| rights::reduce(isolation.account.as_ref()).map(|()| own);
        let made = sight::make(&isolation, &folder).and_then(reduced);
        let failed = made.is_err();
        if told.send(made).is_err() || failed {
            return;
        }
        for work in todo {
            let worker = thread::Builder::new().name("worker".to_owned());
            // What waits for one goes to the next that is free.
            if let Err(error) = worker.spawn(work) {
                crate::say(format_args!("no thread can be made for a job's work: {error}"));
            }
        }
    })?;
    let own = ready.recv().map_err(|_| ended())??;
    let wanted: Mutex<Sender<Work>> = Mutex::new(wanted);
    let workers = Workers::new(Box::new(move |work| {
        let wanted = wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.send(work).map_err(|_| ended())
    }))?;
    Ok((workers, own))
}

fn ended() -> io::Error {
    io::Error::other("the thread that does the work of jobs has ended")
}
