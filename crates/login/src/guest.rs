//! One connection as the protocol sees it: who it is, and what is asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use tokio::task::AbortHandle;

use crate::account::{has_key, has_password};
use crate::connection::Connection;
use crate::flow;
use crate::forward;
use crate::limits::ChannelPlace;
use crate::session::{self, Wanted};
use crate::terminal::{Size, Terminal, resize};
use crate::yard::{Account, Outcome, Way};

/// Most variables that a guest may set for one session, and the longest of their texts.
const VARIABLES: usize = 32;
const VARIABLE_BYTES: usize = 1024;
/// Bytes of the longest packet that a guest may send to a channel.
pub const PACKET: u32 = 32 << 10;
/// Longest name of a stranger that is kept.
const NAME: usize = 64;

/// Handles one connection.
pub struct Guest {
    connection: Arc<Connection>,
    peer: SocketAddr,
    own: SocketAddr,
    channels: BTreeMap<ChannelId, State>,
}

/// A channel of the guest's.
enum State {
    /// Nothing runs in it yet.
    Open(Box<Open>),
    /// Something does.
    Busy {
        task: AbortHandle,
        terminal: Option<OwnedFd>,
    },
}

struct Open {
    channel: Channel<Msg>,
    place: ChannelPlace,
    environment: BTreeMap<String, String>,
    terminal: Option<Size>,
}

impl Guest {
    /// A connection that has just come.
    pub fn new(connection: Arc<Connection>, peer: SocketAddr, own: SocketAddr) -> Guest {
        Guest {
            connection,
            peer,
            own,
            channels: BTreeMap::new(),
        }
    }

    /// Whom the node lets in now.
    async fn account(&self) -> Option<Account> {
        let (yard, node) = (Arc::clone(&self.connection.shared.yard), self.connection.node);
        let read = tokio::task::spawn_blocking(move || yard.account(node));
        read.await.ok().flatten()
    }

    /// Lets the guest in, once that is written down.
    async fn let_in(&self, user: &str, way: Way) -> Auth {
        self.connection.note(user, Outcome::LetIn(way)).await;
        self.connection.is_let_in();
        Auth::Accept
    }

    fn refuse(&self, user: &str) -> Auth {
        self.connection.is_refused(name(user));
        Auth::reject()
    }

    async fn has_key(&self, user: &str, key: &PublicKey) -> bool {
        self.account()
            .await
            .is_some_and(|account| has_key(&account.settings, user, key))
    }

    fn open(&mut self, channel: ChannelId) -> Option<&mut Open> {
        match self.channels.get_mut(&channel) {
            Some(State::Open(open)) => Some(open),
            Some(State::Busy { .. }) | None => None,
        }
    }

    /// A place for one more channel, if there is one.
    fn room(&mut self) -> Option<ChannelPlace> {
        self.channels.retain(|_, state| match state {
            State::Open(_) => true,
            State::Busy { task, .. } => !task.is_finished(),
        });
        let shared = &self.connection.shared;
        if self.channels.len() >= shared.limits.channels {
            return None;
        }
        shared.counts.open(&shared.limits)
    }

    /// Starts a command or a shell in a channel that is open. False where that cannot be.
    fn start(&mut self, id: ChannelId, command: Option<String>) -> bool {
        let Some(State::Open(open)) = self.channels.remove(&id) else {
            return false;
        };
        let Open {
            channel,
            place,
            mut environment,
            terminal,
        } = *open;
        let terminal = match terminal.map(Terminal::open).transpose() {
            Ok(terminal) => terminal,
            Err(error) => {
                tracing::warn!(%error, "there is no terminal for a login");
                return false;
            }
        };
        let (peer, own) = (self.peer, self.own);
        let words = format!("{} {} {} {}", peer.ip(), peer.port(), own.ip(), own.port());
        environment.insert("SSH_CONNECTION".to_owned(), words);
        let resizable = terminal
            .as_ref()
            .and_then(|terminal| terminal.ours.try_clone().ok());
        let wanted = Wanted {
            command,
            environment,
            terminal,
        };
        let folder = self.connection.folder();
        let room = Arc::clone(&self.connection.room);
        let task = self.connection.hold(async move {
            session::run(channel, folder, room, wanted).await;
            drop(place);
        });
        let terminal = resizable;
        self.channels.insert(id, State::Busy { task, terminal });
        true
    }

    fn answer(session: &mut Session, id: ChannelId, good: bool) -> Result<(), russh::Error> {
        if good {
            session.channel_success(id)
        } else {
            session.channel_failure(id)
        }
    }
}

/// A stranger's name, as it may be written down.
fn name(user: &str) -> String {
    user.chars().filter(|c| !c.is_control()).take(NAME).collect()
}

/// Which variables a guest may set: language, and what kind of terminal it has.
fn may_set(name: &str) -> bool {
    let word = |rest: &str| rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    matches!(name, "LANG" | "COLORTERM" | "TZ") || name.strip_prefix("LC_").is_some_and(word)
}

impl Handler for Guest {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        let shared = Arc::clone(&self.connection.shared);
        let from = self.peer.ip();
        let account = self.account().await;
        // Where there is no account, each node is one.
        let whose = account
            .as_ref()
            .map_or(self.connection.node, |account| account.cluster);
        if !shared.wrong.may_try(from, whose, &shared.limits) {
            return Ok(self.refuse(user));
        }
        if has_password(account.as_ref().map(|account| &account.settings), user, password) {
            return Ok(self.let_in(user, Way::Password).await);
        }
        if shared.wrong.note(from, whose, &shared.limits) {
            self.connection.note_refusal(&name(user), Outcome::Locked).await;
        }
        Ok(self.refuse(user))
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        if self.has_key(user, offer.public_key).await {
            return Ok(Auth::Accept);
        }
        Ok(self.refuse(user))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        if self.has_key(user, key.public_key).await {
            return Ok(self.let_in(user, Way::Key).await);
        }
        Ok(self.refuse(user))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(place) = self.room() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let open = Open {
            place,
            environment: BTreeMap::new(),
            terminal: None,
            channel,
        };
        self.channels
            .insert(open.channel.id(), State::Open(Box::new(open)));
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Ok(port) = u16::try_from(port) else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        let Some(place) = self.room() else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let (id, folder, host) = (channel.id(), self.connection.folder(), host.to_owned());
        let room = Arc::clone(&self.connection.room);
        let task = self.connection.hold(async move {
            forward::run(channel, reply, folder, room, (host, port)).await;
            drop(place);
        });
        let terminal = None;
        self.channels.insert(id, State::Busy { task, terminal });
        Ok(())
    }

    /// Nobody is asked for longer packets: they would make limits larger that count packets.
    async fn data(
        &mut self,
        _id: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if data.len() > PACKET as usize {
            return Err(russh::Error::Inconsistent);
        }
        Ok(())
    }

    fn adjust_window(&mut self, _id: ChannelId, _current: u32) -> u32 {
        flow::window(&self.connection.room)
    }

    async fn channel_close(&mut self, id: ChannelId, _session: &mut Session) -> Result<(), russh::Error> {
        if let Some(State::Busy { task, .. }) = self.channels.remove(&id) {
            task.abort();
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let good = self.open(id).is_some_and(|open| {
            open.terminal = Some(Size { columns, rows });
            if term.len() <= VARIABLE_BYTES {
                open.environment.insert("TERM".to_owned(), name(term));
            }
            true
        });
        Guest::answer(session, id, good)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        variable: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let good = may_set(variable)
            && variable.len() + value.len() <= VARIABLE_BYTES
            && !value.contains('\0')
            && self.open(id).is_some_and(|open| {
                let room = open.environment.len() < VARIABLES;
                if room {
                    open.environment.insert(variable.to_owned(), value.to_owned());
                }
                room
            });
        Guest::answer(session, id, good)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        let good = self.start(id, None);
        Guest::answer(session, id, good)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let command = String::from_utf8(command.to_vec()).ok();
        let command = command.filter(|command| !command.contains('\0'));
        let good = command.is_some_and(|command| self.start(id, Some(command)));
        Guest::answer(session, id, good)
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        columns: u32,
        rows: u32,
        _width: u32,
        _height: u32,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(State::Busy {
            terminal: Some(terminal),
            ..
        }) = self.channels.get(&id)
        {
            let _ = resize(terminal, Size { columns, rows });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_sets_its_language_and_nothing_that_changes_what_runs() {
        for good in ["LANG", "LC_ALL", "LC_PAPER"] {
            assert!(may_set(good), "{good}");
        }
        for bad in [
            "PATH",
            "LD_PRELOAD",
            "BASH_ENV",
            "TRAINYARD_PLACEMENT",
            "LC_=X",
            "lang",
        ] {
            assert!(!may_set(bad), "{bad}");
        }
    }
}
