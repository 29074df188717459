//! Sockets that say "look", at paths of any length.
//!
//! A socket's path ends at 108 bytes, a data folder's may not. So the folder is opened, and the socket is
//! reached through `/proc/self/fd/{n}/`.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

/// Name of the socket in a node's folder, and of the engine's in the folder of all nodes.
pub const NAME: &str = "look";

/// A folder, opened.
#[derive(Debug)]
pub struct OpenFolder(OwnedFd);

impl OpenFolder {
    /// Opens a folder.
    pub fn open(path: &Path) -> io::Result<OpenFolder> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(OpenFolder(open(path, flags, Mode::empty())?))
    }

    /// A short path of something in the folder; it holds as long as this is open.
    pub fn entry(&self, name: &OsStr) -> PathBuf {
        Path::new(&format!("/proc/self/fd/{}", self.0.as_raw_fd())).join(name)
    }

    fn socket(&self) -> PathBuf {
        self.entry(OsStr::new(NAME))
    }

    /// Makes the folder's socket anew; whoever had it before hears nothing any more. It never blocks.
    pub fn bind(&self) -> io::Result<UnixDatagram> {
        let path = self.socket();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// Sends to the folder's socket without waiting: `WouldBlock` when it is full.
    pub fn send(&self, from: &UnixDatagram, what: &[u8]) -> io::Result<()> {
        from.send_to(what, self.socket()).map(|_| ())
    }
}

/// Reads all that waits on a socket; each datagram ends at 64 bytes.
pub fn drain(socket: &UnixDatagram) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = [0; 64];
    while let Ok(length) = socket.recv(&mut buffer) {
        all.push(buffer[..length].to_vec());
    }
    all
}

/// Tells the node in `folder` to look. Nothing is lost when nobody listens there, or when the socket is
/// full: a node looks at its start, and once more for what waits already.
pub fn poke(folder: &Path) {
    let told = OpenFolder::open(folder).and_then(|folder| {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        folder.send(&socket, b"look")
    });
    drop(told);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_longer_than_a_socket_address_works() {
        let base = tempfile::tempdir().unwrap();
        let long = base.path().join("x".repeat(120)).join("y".repeat(120));
        std::fs::create_dir_all(&long).unwrap();
        let socket = OpenFolder::open(&long).unwrap().bind().unwrap();
        poke(&long);
        assert_eq!(drain(&socket), vec![b"look".to_vec()]);
        assert!(drain(&socket).is_empty());
    }
}
