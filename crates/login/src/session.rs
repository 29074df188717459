//! One command or shell: its streams go between the guest's channel and the node.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use russh::server::Msg;
use russh::{Channel, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::Interest;
use tokio::sync::watch;
use trainyard_node::files::Folder;
use trainyard_node::login::{Answer, Call, Request};

use crate::descriptor::{self, End, watched};
use crate::flow::{self, Over, Sink, Stuck};
use crate::room::Room;
use crate::terminal::Terminal;

/// How long output may still come once the command has ended: the node has ended by then what held it open.
const LAST_WORDS: Duration = Duration::from_secs(4);
/// Exit code where something could not be run, as of ssh.
const NOT_RUN: u32 = 255;
/// stderr among a channel's streams.
const STDERR: u32 = 1;
/// What ends the input of a terminal.
const END_OF_INPUT: &[u8] = &[4];

/// What is to run.
pub struct Wanted {
    /// The command line, or none for a login shell.
    pub command: Option<String>,
    /// Variables of the guest's.
    pub environment: BTreeMap<String, String>,
    /// Its terminal, if it is to have one.
    pub terminal: Option<Terminal>,
}

/// The streams of a session: stdin and outputs, with what a channel calls them.
struct Streams {
    stdin: End,
    outputs: Vec<(Option<u32>, End)>,
    /// What ends the input, where closing it does not.
    end_of_input: &'static [u8],
}

/// Runs it to its end, or until the guest is gone.
pub async fn run(channel: Channel<Msg>, folder: Folder, room: Arc<Room>, wanted: Wanted) {
    let (mut from_guest, to_guest) = channel.split();
    let stuck = Stuck::new();
    match start(&folder, wanted) {
        Ok((call, streams)) => {
            let is_too_much = tokio::select! {
                () = follow(call, &streams.outputs, &to_guest, &stuck) => false,
                over = feed(&mut from_guest, streams.stdin, streams.end_of_input, &stuck, &room) => over == Over::TooMuch,
            };
            // The command has ended with its call.
            if is_too_much {
                tell_too_much(&mut from_guest, &to_guest).await;
            }
        }
        Err(error) => {
            let why = format!("trainyard: the node cannot be reached: {error}\r\n");
            let _ = to_guest.extended_data_bytes(STDERR, why.into_bytes()).await;
            let _ = to_guest.exit_status(NOT_RUN).await;
        }
    }
    let _ = to_guest.eof().await;
    let _ = to_guest.close().await;
}

fn start(folder: &Folder, wanted: Wanted) -> io::Result<(Call, Streams)> {
    let terminal = wanted.terminal.is_some();
    let (streams, theirs) = match wanted.terminal {
        Some(terminal) => with_terminal(terminal)?,
        None => with_pipes()?,
    };
    let request = Request::Run {
        command: wanted.command,
        environment: wanted.environment,
        terminal,
    };
    let [stdin, stdout, stderr] = &theirs;
    let call = Call::start(folder, &request, &[stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
    Ok((call, streams))
}

fn with_terminal(terminal: Terminal) -> io::Result<(Streams, [OwnedFd; 3])> {
    let Terminal { ours, theirs } = terminal;
    let streams = Streams {
        stdin: End::new(ours.try_clone()?, Interest::WRITABLE)?,
        outputs: vec![(None, End::new(ours, Interest::READABLE)?)],
        end_of_input: END_OF_INPUT,
    };
    Ok((streams, [theirs.try_clone()?, theirs.try_clone()?, theirs]))
}

fn with_pipes() -> io::Result<(Streams, [OwnedFd; 3])> {
    let (stdin, their_stdin) = descriptor::to_write()?;
    let (stdout, their_stdout) = descriptor::to_read()?;
    let (stderr, their_stderr) = descriptor::to_read()?;
    let streams = Streams {
        stdin,
        outputs: vec![(None, stdout), (Some(STDERR), stderr)],
        end_of_input: &[],
    };
    Ok((streams, [their_stdin, their_stdout, their_stderr]))
}

/// Hands outputs on to their end, then the exit code.
async fn follow(call: Call, outputs: &[(Option<u32>, End)], to_guest: &ChannelWriteHalf<Msg>, stuck: &Stuck) {
    let (tell, ended) = watch::channel(false);
    let answer = async {
        let answer = answer(&call).await;
        let _ = tell.send(true);
        answer
    };
    let hand_on = |at: usize| {
        let ended = ended.clone();
        async move {
            if let Some((kind, end)) = outputs.get(at) {
                hand_on(end, *kind, to_guest, ended, stuck).await;
            }
        }
    };
    let (answer, (), ()) = tokio::join!(answer, hand_on(0), hand_on(1));
    let (code, why) = match answer {
        Ok(Answer { code, why, .. }) => (u32::try_from(code).unwrap_or(NOT_RUN), why),
        Err(_) => (NOT_RUN, "the node has gone".to_owned()),
    };
    if !why.is_empty() {
        let why = format!("trainyard: {why}\r\n");
        let _ = to_guest.extended_data_bytes(STDERR, why.into_bytes()).await;
    }
    let _ = to_guest.exit_status(code).await;
}

/// The node's answer, once it is there.
pub async fn answer(call: &Call) -> io::Result<Answer> {
    let watched = watched(call.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
    loop {
        let mut ready = watched.readable().await?;
        if let Ok(answer) = ready.try_io(|_| call.answer()) {
            return answer;
        }
    }
}

async fn hand_on(
    end: &End,
    kind: Option<u32>,
    to_guest: &ChannelWriteHalf<Msg>,
    mut ended: watch::Receiver<bool>,
    stuck: &Stuck,
) {
    loop {
        let over = *ended.borrow_and_update();
        let read = if over {
            // Somebody has made off with it.
            let Ok(read) = tokio::time::timeout(LAST_WORDS, end.read()).await else {
                return;
            };
            read
        } else {
            tokio::select! {
                read = end.read() => read,
                _ = ended.changed() => continue,
            }
        };
        let Some(piece) = read.ok().filter(|piece| !piece.is_empty()) else {
            return;
        };
        let handed = match kind {
            None => stuck.watch(to_guest.data_bytes(piece)).await,
            Some(kind) => stuck.watch(to_guest.extended_data_bytes(kind, piece)).await,
        };
        if handed.is_err() {
            return;
        }
    }
}

/// Tells the guest, if it reads soon; until then what it sends is taken, for its leave to be sent more stands behind it.
async fn tell_too_much(from_guest: &mut ChannelReadHalf, to_guest: &ChannelWriteHalf<Msg>) {
    let why = "trainyard: the command left too much of its input unread and is ended\r\n";
    tokio::select! {
        _ = to_guest.extended_data_bytes(STDERR, why.as_bytes()) => {}
        () = flow::closed(from_guest) => {}
        () = tokio::time::sleep(LAST_WORDS) => {}
    }
    let _ = to_guest.exit_status(NOT_RUN).await;
}

/// Hands on what the guest types, until the guest is gone or too much of it waits.
async fn feed(
    from_guest: &mut ChannelReadHalf,
    stdin: End,
    end_of_input: &[u8],
    stuck: &Stuck,
    room: &Arc<Room>,
) -> Over {
    let mut sink = Sink::End(stdin);
    let over = flow::hand_on(from_guest, &mut sink, end_of_input, stuck, room).await;
    if matches!(over, Over::Sent | Over::Unread) {
        drop(sink);
        flow::closed(from_guest).await;
    }
    over
}
