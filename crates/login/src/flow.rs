//! What a guest sends, on its way to who reads it.
//!
//! The library takes a connection's packets one after the other and hands each to its channel; it opens the channel's
//! window again at once, and not when we say. While a channel has no room nothing else is taken: that holds back a guest
//! who sends more than is read. Yet among the packets behind may be the leave to send the guest more, which a program
//! that writes as it reads waits for. So, when what goes to the guest is stuck, more is taken: a little at a time with
//! growing pauses, so that a guest who is slow, or reads nothing for a while, has few packets before that leave. For the
//! same reason the window is small while much waits ([`window`]). At the limit the channel is ended.

use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use russh::{ChannelMsg, ChannelReadHalf};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;

use crate::descriptor::End;
use crate::room::{Room, Waiting};

/// Bytes that a guest may send before it is told that they have come, while little waits and while much does.
pub const WINDOW: u32 = 256 << 10;
const SMALL_WINDOW: u32 = 16 << 10;
/// Bytes of a connection that may wait while its windows are large.
const LITTLE: usize = 64 << 10;
/// Bytes of a channel that may wait to be read while nothing is stuck. With all that may still come under a large window
/// after little waits (half of it until that is noticed, then all of it), no more than a small window is under way when
/// nothing is taken any more. So little fits where the kernel keeps it, and the news that the guest is gone comes through.
const EASY: usize = 512 << 10;
/// How long something may take to go to the guest before it counts as stuck.
const STUCK: Duration = Duration::from_millis(20);
/// Pauses before more is taken while something is stuck.
const PAUSES: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(2);
/// Bytes taken after a pause: what is under way.
const STEP: usize = SMALL_WINDOW as usize;

/// How large the windows of a connection are to be.
pub fn window(room: &Room) -> u32 {
    if room.used() < LITTLE {
        WINDOW
    } else {
        SMALL_WINDOW
    }
}

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

/// How fast more is taken while something is stuck.
struct Pace {
    /// Bytes that may still be taken.
    leave: usize,
    pause: Duration,
}

impl Pace {
    fn new() -> Pace {
        Pace {
            leave: 0,
            pause: *PAUSES.start(),
        }
    }

    /// A pause is over and it is still stuck.
    fn go_on(&mut self) {
        self.leave = STEP;
        self.pause = (self.pause * 2).min(*PAUSES.end());
    }

    /// It goes on: the pause was long enough.
    fn is_free(&mut self) {
        self.leave = 0;
        self.pause = (self.pause / 2).max(*PAUSES.start());
    }
}

/// Hands on what a guest sends, and `last` at its end. What waits takes `room`.
pub async fn hand_on(
    from_guest: &mut ChannelReadHalf,
    sink: &mut Sink,
    last: &[u8],
    stuck: &Stuck,
    room: &Arc<Room>,
) -> Over {
    let mut waiting = Waiting::new(Arc::clone(room));
    let (mut pace, mut sent, mut was_stuck) = (Pace::new(), false, false);
    let mut stuck = stuck.0.subscribe();
    loop {
        let is_stuck = *stuck.borrow_and_update() > 0;
        if was_stuck && !is_stuck {
            pace.is_free();
        }
        was_stuck = is_stuck;
        let has_front = !waiting.front().is_empty();
        if !has_front && sent {
            return Over::Sent;
        }
        let easy = !has_front || (waiting.bytes() < EASY && !room.is_full());
        // Behind the end of what is sent comes the end of the channel alone.
        let take = easy || sent || (is_stuck && pace.leave > 0);
        if take && !easy && !sent && room.is_full() {
            return Over::TooMuch;
        }
        tokio::select! {
            written = sink.write(waiting.front()), if has_front => {
                let Ok(written) = written else {
                    return Over::Unread;
                };
                waiting.pass(written);
            }
            message = from_guest.wait(), if take => match message {
                Some(ChannelMsg::Data { data }) if !sent => {
                    pace.leave = pace.leave.saturating_sub(data.len());
                    waiting.push(data.to_vec());
                }
                Some(ChannelMsg::Eof) if !sent => {
                    sent = true;
                    waiting.push(last.to_vec());
                }
                Some(ChannelMsg::Close) | None => return Over::Closed,
                Some(_) => {}
            },
            () = tokio::time::sleep(pace.pause), if is_stuck && !take => pace.go_on(),
            _ = stuck.changed() => {}
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
