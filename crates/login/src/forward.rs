//! Connections that a guest has forwarded to a port as seen from the node.

use std::io;
use std::net::TcpStream as Opened;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use trainyard_node::files::Folder;
use trainyard_node::login::{Call, Request};

use crate::flow::{self, Over, Sink, Stuck};
use crate::room::Room;
use crate::session::answer;

/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// Opens it and hands everything on, both ways.
pub async fn run(
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    folder: Folder,
    room: Arc<Room>,
    (host, port): (String, u16),
) {
    match open(&folder, host, port).await {
        Ok(stream) => {
            reply.accept().await;
            let (read, write) = stream.into_split();
            let (mut from_guest, to_guest) = channel.split();
            hand_on(read, write, &mut from_guest, &to_guest, &room).await;
            let _ = to_guest.close().await;
        }
        Err(error) => {
            tracing::debug!(%error, "a forwarded connection could not be opened");
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    }
}

async fn open(folder: &Folder, host: String, port: u16) -> io::Result<TcpStream> {
    let call = Call::start(folder, &Request::Connect { host, port }, &[])?;
    let answer = answer(&call).await?;
    let descriptor: OwnedFd = answer.descriptor.ok_or_else(|| io::Error::other(answer.why))?;
    let stream = Opened::from(descriptor);
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    TcpStream::from_std(stream)
}

async fn back(mut read: OwnedReadHalf, to_guest: &ChannelWriteHalf<Msg>, stuck: &Stuck) {
    loop {
        let mut piece = vec![0; PIECE];
        match read.read(&mut piece).await {
            Ok(length) if length > 0 => {
                piece.truncate(length);
                if stuck.watch(to_guest.data_bytes(piece)).await.is_err() {
                    return;
                }
            }
            Ok(_) | Err(_) => break,
        }
    }
    let _ = to_guest.eof().await;
}

/// Each direction may end by itself; when the guest closes, all is over.
async fn hand_on(
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    from_guest: &mut ChannelReadHalf,
    to_guest: &ChannelWriteHalf<Msg>,
    room: &Arc<Room>,
) {
    let (stuck, mut sink) = (Stuck::new(), Sink::Stream(write));
    let back = back(read, to_guest, &stuck);
    tokio::pin!(back);
    let over = tokio::select! {
        over = flow::hand_on(from_guest, &mut sink, &[], &stuck, room) => over,
        () = &mut back => {
            flow::closed(from_guest).await;
            return;
        }
    };
    if over == Over::Sent {
        // Dropped, it tells the other side that nothing more comes.
        drop(sink);
        tokio::select! {
            () = back => {}
            () = flow::closed(from_guest) => {}
        }
    }
}
