//! What a guest sends, on its way to who reads it.
//!
//! The library takes a connection's packets one after the other and hands each to its channel. While a channel has no
//! room nothing else is taken: that holds back a guest who sends more than is read. Yet among the packets behind may be
//! the leave to send the guest more, which a program that writes as it reads waits for. So, when what goes to the guest
//! is stuck, more is taken, up to a limit.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::time::Duration;

use russh::{ChannelMsg, ChannelReadHalf};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;

use crate::descriptor::End;

/// Bytes that may wait to be read while nothing is stuck.
const SOFT: usize = 4 << 20;
/// Bytes that may wait at all.
const HARD: usize = 64 << 20;
/// How long something may take to go to the guest before it counts as stuck.
const STUCK: Duration = Duration::from_millis(20);

/// How many things are stuck on their way to the guest.
pub struct Stuck(watch::Sender<u32>);

impl Stuck {
    /// None is.
    pub fn new() -> Stuck {
        Stuck(watch::channel(0).0)
    }

    /// Waits for something that goes to the guest.
    pub async fn watch<T>(&self, going: impl Future<Output = T>) -> T {
        tokio::pin!(going);
        if let Ok(gone) = tokio::time::timeout(STUCK, &mut going).await {
            return gone;
        }
        self.0.send_modify(|count| *count += 1);
        let gone = going.await;
        self.0.send_modify(|count| *count = count.saturating_sub(1));
        gone
    }
}

/// Who reads what a guest sends.
pub enum Sink {
    /// A pipe or a terminal.
    End(End),
    /// A forwarded connection.
    Stream(OwnedWriteHalf),
}

impl Sink {
    /// Writes some of it; nothing when it is cancelled.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::End(end) => end.write(bytes).await,
            Sink::Stream(stream) => stream.write(bytes).await,
        }
    }
}

/// Why no more is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The guest sends no more; all of it is handed on.
    Sent,
    /// The guest has closed the channel, or is gone.
    Closed,
    /// Nobody reads it any more.
    Unread,
    /// Too much waits.
    TooMuch,
}

/// Hands on what a guest sends, and `last` at its end.
pub async fn hand_on(from_guest: &mut ChannelReadHalf, sink: &mut Sink, last: &[u8], stuck: &Stuck) -> Over {
    let mut waiting: VecDeque<Vec<u8>> = VecDeque::new();
    let (mut bytes, mut at, mut sent) = (0, 0, false);
    let mut stuck = stuck.0.subscribe();
    loop {
        let is_stuck = *stuck.borrow_and_update() > 0;
        let front = waiting.front().and_then(|piece| piece.get(at..));
        if front.is_none() && sent {
            return Over::Sent;
        }
        if bytes > HARD {
            return Over::TooMuch;
        }
        let has_front = front.is_some();
        let take = bytes < SOFT || is_stuck;
        tokio::select! {
            written = sink.write(front.unwrap_or_default()), if has_front => {
                let Ok(written) = written else {
                    return Over::Unread;
                };
                bytes -= written;
                at += written;
                if waiting.front().is_some_and(|piece| at >= piece.len()) {
                    waiting.pop_front();
                    at = 0;
                }
            }
            message = from_guest.wait(), if take => match message {
                Some(ChannelMsg::Data { data }) if !data.is_empty() => {
                    bytes += data.len();
                    waiting.push_back(data.to_vec());
                }
                Some(ChannelMsg::Eof) => {
                    sent = true;
                    if !last.is_empty() {
                        bytes += last.len();
                        waiting.push_back(last.to_vec());
                    }
                }
                Some(ChannelMsg::Close) | None => return Over::Closed,
                Some(_) => {}
            },
            _ = stuck.changed(), if !take => {}
        }
    }
}

/// Waits until the guest closes the channel, or is gone; what it still sends is nobody's.
pub async fn closed(from_guest: &mut ChannelReadHalf) {
    while let Some(message) = from_guest.wait().await {
        if let ChannelMsg::Close = message {
            return;
        }
    }
}
