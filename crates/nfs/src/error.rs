//! Why file servers are not exported.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::export::BadText;
use crate::needs::Lack;

/// Why the exporter does not start.
#[derive(Debug, thiserror::Error)]
pub enum NfsError {
    /// The machine lacks something.
    #[error(transparent)]
    Lacks(#[from] Lack),
    /// Somebody else listens there.
    #[error("the NFS server could not listen on {0}: end what does, or change nfs.listen or nfs.port")]
    Taken(SocketAddr, #[source] io::Error),
    /// Its own files.
    #[error("{} could not be made for the NFS server", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The place of its own files.
    #[error(transparent)]
    Text(#[from] BadText),
    /// One that a killed server left runs on.
    #[error("the NFS server of an earlier start, process {0}, could not be ended: see what it waits for")]
    Stays(i32),
    /// It does not come up.
    #[error("the NFS server does not run: {0}")]
    Down(String),
}
