//! Exports by a real NFS server, seen by real clients.

mod clients;
mod exports;
