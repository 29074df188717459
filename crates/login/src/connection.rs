//! One connection from its first byte to its end, and all that runs for it.

use std::future::Future;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::server::{Config, run_stream};
use rustix::net::Shutdown;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use trainyard_domain::ids::Uid;
use trainyard_node::files::Folder;
use trainyard_node::machine::since_boot;

use crate::descriptor::watched;
use crate::guest::Guest;
use crate::limits::{Counts, Limits, Wrong};
use crate::refusals::{Refusals, Told};
use crate::room::Room;
use crate::yard::{Note, Outcome, Yard};

/// How long a connection whose other side has gone may take to notice it.
const LAST_PACKETS: Duration = Duration::from_secs(1);

/// What all connections share.
pub struct Shared {
    pub yard: Arc<dyn Yard>,
    pub limits: Limits,
    pub wrong: Wrong,
    pub counts: Arc<Counts>,
    pub config: Arc<Config>,
    /// For what all guests send.
    pub room: Arc<Room>,
    pub refusals: Mutex<Refusals>,
    /// What follows up on refusals; ended with this.
    pub tasks: Mutex<JoinSet<()>>,
}

impl Shared {
    /// What is to be written down of those who were refused.
    pub fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, note: Note) {
        say(&note);
        let yard = Arc::clone(&self.yard);
        let _ = tokio::task::spawn_blocking(move || yard.note(note)).await;
    }

    /// Writes down what is left; it waits for a disk.
    pub fn write_rest(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
        for note in self.refusals().rest() {
            say(&note);
            self.yard.note(note);
        }
    }
}

fn say(note: &Note) {
    let Note {
        node,
        from,
        user,
        outcome,
    } = note;
    match outcome {
        Outcome::LetIn(way) => tracing::info!(%node, %from, user, ?way, "somebody logs in"),
        Outcome::Refused(tries) => tracing::warn!(%node, %from, user, tries, "a login was refused"),
        Outcome::Locked => {
            tracing::warn!(%node, %from, user, "too many passwords were wrong; for a while none is taken from there");
        }
        Outcome::More(sum) => tracing::warn!(%node, user, ?sum, "more logins were refused"),
    }
}

/// Writes down what follows a refusal, as long as more follow.
async fn follow_refusals(shared: Arc<Shared>, node: Uid, first: Duration) {
    let mut pause = first;
    loop {
        tokio::time::sleep(pause).await;
        let due = shared.refusals().due(node, since_boot());
        let Some((note, again)) = due else { return };
        if let Some(note) = note {
            shared.write(note).await;
        }
        pause = again;
    }
}

/// A connection to a node.
pub struct Connection {
    pub shared: Arc<Shared>,
    pub node: Uid,
    /// For what its guest sends.
    pub room: Arc<Room>,
    from: SocketAddr,
    let_in: watch::Sender<bool>,
    refused: Mutex<(u32, String)>,
    tasks: Mutex<JoinSet<()>>,
}

impl Connection {
    /// Where its node takes requests.
    pub fn folder(&self) -> Folder {
        self.shared.yard.folder(self.node)
    }

    /// The guest is let in.
    pub fn is_let_in(&self) {
        self.let_in.send_replace(true);
    }

    /// A key or a password was wrong.
    pub fn is_refused(&self, user: String) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = (refused.0.saturating_add(1), user);
    }

    /// Writes down what became of the guest.
    pub async fn note(&self, user: &str, outcome: Outcome) {
        self.shared.write(self.to_note(user, outcome)).await;
    }

    /// Writes down that the guest was refused or locked out, or counts it.
    pub async fn note_refusal(&self, user: &str, outcome: Outcome) {
        let note = self.to_note(user, outcome);
        let told = self.shared.refusals().add(&note, since_boot());
        match told {
            Told::Later => tracing::debug!(?note, "a login was refused"),
            Told::Now(again) => {
                self.shared.write(note).await;
                let following = follow_refusals(Arc::clone(&self.shared), self.node, again);
                let mut tasks = self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
                while tasks.try_join_next().is_some() {}
                tasks.spawn(following);
            }
        }
    }

    fn to_note(&self, user: &str, outcome: Outcome) -> Note {
        Note {
            node: self.node,
            from: self.from.ip(),
            user: user.to_owned(),
            outcome,
        }
    }

    /// Runs something until it ends or the connection does.
    pub fn hold(&self, what: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are only counted away.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(what)
    }

    /// Ends all that runs for the guest.
    fn end(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }

    async fn note_refused(&self) {
        let (tries, user) = {
            let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.clone()
        };
        let stranger = !*self.let_in.borrow();
        if stranger && tries > 0 {
            self.note_refusal(&user, Outcome::Refused(tries)).await;
        }
    }
}

/// Serves one connection to a node.
pub async fn serve(stream: TcpStream, peer: SocketAddr, node: Uid, shared: Arc<Shared>) {
    let from = peer.ip().to_canonical();
    let Some(mut place) = shared.counts.enter(from, &shared.limits) else {
        tracing::warn!(%from, "a login was turned away: too many connections at once");
        return;
    };
    let (Ok(own), Ok(line)) = (stream.local_addr(), Line::of(&stream)) else {
        return;
    };
    let peer = SocketAddr::new(from, peer.port());
    let (let_in, mut known) = watch::channel(false);
    let connection = Arc::new(Connection {
        shared: Arc::clone(&shared),
        node,
        room: shared.room.part(shared.limits.waiting),
        from: peer,
        let_in,
        refused: Mutex::default(),
        tasks: Mutex::default(),
    });
    // Ended with this function, however that ends.
    let _ending = Ending(Arc::clone(&connection));
    let guest = Guest::new(Arc::clone(&connection), peer, own);
    let arrive = async {
        let mut session = run_stream(Arc::clone(&shared.config), stream, guest).await?;
        tokio::select! {
            ended = &mut session => ended.map(|()| None),
            _ = known.wait_for(|known| *known) => Ok(Some(session)),
        }
    };
    match tokio::time::timeout(shared.limits.sign_in, arrive).await {
        Ok(Ok(Some(mut session))) => {
            place.is_known();
            tokio::select! {
                _ = &mut session => {}
                () = line.is_cut() => {
                    // What still runs for the guest may keep the session from noticing.
                    let _ = tokio::time::timeout(LAST_PACKETS, &mut session).await;
                }
            }
        }
        Ok(Ok(None)) => connection.note_refused().await,
        Ok(Err(error)) => {
            tracing::debug!(%from, %error, "a login failed");
            connection.note_refused().await;
        }
        Err(_too_long) => connection.note_refused().await,
    }
}

/// Ends what runs for a guest.
struct Ending(Arc<Connection>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A second hold of a connection, to see its other side go, and to cut it.
struct Line(AsyncFd<OwnedFd>);

impl Line {
    fn of(stream: &TcpStream) -> std::io::Result<Line> {
        let copy = stream.as_fd().try_clone_to_owned()?;
        Ok(Line(watched(copy, Interest::READABLE)?))
    }

    /// Resolves when the other side has gone.
    async fn is_cut(&self) {
        while let Ok(mut ready) = self.0.ready(Interest::READABLE).await {
            if ready.ready().is_read_closed() {
                return;
            }
            ready.clear_ready();
        }
    }
}

/// The session has a task of its own, which ends when nothing can be read any more.
impl Drop for Line {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }
}
