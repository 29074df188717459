//! What others see of this room: it is told what to export.

use std::fs::DirBuilder;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use tracing::info;

use crate::client::Client;
use crate::configuration::{self, CREDENTIALS, RECOVERY};
use crate::error::NfsError;
use crate::export::Export;
use crate::holder::{end, holder};
use crate::keeper::Keeper;
use crate::{Lack, Monotonic};

/// The name of the file that the NFS server locks.
pub const PID_FILE: &str = "pid";
/// How long a start may take until it is known whether the NFS server runs.
const START: Duration = Duration::from_secs(30);

/// How to export.
#[derive(Clone)]
pub struct Settings {
    /// The NFS server's program.
    pub program: PathBuf,
    /// Where its own files go; made if missing.
    pub folder: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may mount; at least one.
    pub clients: Vec<Client>,
    /// As which user and group of this machine all of them read and write.
    pub owner: (u32, u32),
    /// For the pauses between starts.
    pub clock: Monotonic,
}

/// Exports folders until it is ended or dropped.
pub struct Exporter {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread is told, and tells.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Becomes readable when the thread is to look.
    pub(crate) wake: OwnedFd,
}

#[derive(Default)]
struct State {
    wanted: Option<Vec<Export>>,
    ended: bool,
    /// Whether the NFS server runs, or why not; `None` until the first try.
    runs: Option<Result<(), String>>,
}

impl Exporter {
    /// Gets everything ready: ends the NFS server that a killed server left behind, and sees whether the port is free.
    /// Nothing is exported before [`Exporter::keep`].
    ///
    /// # Errors
    /// See [`NfsError`].
    pub fn open(settings: Settings) -> Result<Exporter, NfsError> {
        if !rustix::process::geteuid().is_root() {
            return Err(Lack::Root.into());
        }
        configuration::text(&settings, &[])?;
        for folder in ["", RECOVERY, CREDENTIALS] {
            let path = settings.folder.join(folder);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(|source| NfsError::File { path, source })?;
        }
        end_left(&settings.folder)?;
        TcpListener::bind(settings.listen).map_err(|error| NfsError::Taken(settings.listen, error))?;
        let of_wake = |source| NfsError::File {
            path: settings.folder.clone(),
            source,
        };
        let wake =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|e| of_wake(e.into()))?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            wake,
        });
        let keeper = Keeper::new(settings.clone(), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("nfs".to_owned());
        let thread = thread.spawn(move || keeper.run()).map_err(of_wake)?;
        Ok(Exporter {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Exports these folders and no others, soon. One whose folder is missing is exported as soon as that is back.
    pub fn keep(&self, wanted: Vec<Export>) {
        self.shared.lock().wanted = Some(wanted);
        self.shared.wake();
    }

    /// Waits until the NFS server has been started for the first time.
    ///
    /// # Errors
    /// [`NfsError::Down`] where it does not run. It is tried again all the same, until the exporter is ended.
    pub fn wait_started(&self) -> Result<(), NfsError> {
        let guard = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(guard, START, |state| state.runs.is_none());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.runs {
            Some(Ok(())) => Ok(()),
            Some(Err(why)) => Err(NfsError::Down(why.clone())),
            None => Err(NfsError::Down(format!(
                "it said nothing for {} s",
                START.as_secs()
            ))),
        }
    }

    /// Ends the NFS server.
    pub fn end(&self) {
        self.shared.lock().ended = true;
        self.shared.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends the NFS server whose own files are in `folder` and that a server that was killed has left, if there is one.
///
/// # Errors
/// [`NfsError::Stays`] where it cannot be ended, [`NfsError::File`] where it cannot be told.
pub fn end_left(folder: &Path) -> Result<(), NfsError> {
    let path = folder.join(PID_FILE);
    let found = holder(&path).map_err(|source| NfsError::File { path, source })?;
    let Some((pid, handle)) = found else { return Ok(()) };
    let process = pid.as_raw_pid();
    info!(process, "the NFS server of an earlier start is ended");
    if end(&handle) {
        return Ok(());
    }
    Err(NfsError::Stays(process))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// What is wanted; `None` when all is to end.
    pub(crate) fn wanted(&self) -> Option<Option<Vec<Export>>> {
        let state = self.lock();
        (!state.ended).then(|| state.wanted.clone())
    }

    /// Tells whether the NFS server runs.
    pub(crate) fn tell(&self, runs: Result<(), String>) {
        self.lock().runs = Some(runs);
        self.changed.notify_all();
    }
}
