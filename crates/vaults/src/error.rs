//! Why a secret could not be had.

use std::io;
use std::path::PathBuf;

/// Why a secret could not be had; for people, without anything of the secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A reference in another shape.
    #[error("its secretUrl is not that of a secret; write https://VAULT.vault.azure.net/secrets/NAME")]
    Shape,
    /// Two vaults in one reference.
    #[error("its sourceVault is {id} and its secretUrl names {url}; name one vault in both")]
    TwoVaults {
        /// As the id has it.
        id: String,
        /// As the URL has it.
        url: String,
    },
    /// No file, and no command to ask.
    #[error("there is no file of it in key_vaults.folder; put it there as {file}")]
    NoFile {
        /// Its path beneath the folder.
        file: PathBuf,
    },
    /// A file that everybody may read.
    #[error("its file {file} in key_vaults.folder is readable by everybody; take that right away")]
    Open {
        /// Its path beneath the folder.
        file: PathBuf,
    },
    /// A file that cannot be read.
    #[error("its file {file} in key_vaults.folder cannot be read")]
    File {
        /// Its path beneath the folder.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The command cannot be started.
    #[error("key_vaults.command cannot be started")]
    Start(#[source] io::Error),
    /// The command failed.
    #[error("key_vaults.command ended with exit code {code}; the server's log has what it said")]
    Exit {
        /// Exit code, or 128 and the signal's number.
        code: i32,
    },
    /// It took too long.
    #[error("key_vaults.command gave no secret within {seconds} s")]
    TooLate {
        /// What it was given, all tries together.
        seconds: u64,
    },
    /// Nothing came.
    #[error("what was found for it is empty")]
    Empty,
    /// Too much came.
    #[error("what was found for it is longer than {limit} bytes")]
    TooLong {
        /// The most.
        limit: usize,
    },
    /// No text.
    #[error("what was found for it is no UTF-8 text, or has a NUL in it")]
    NoText,
    /// The server ends.
    #[error("the server ends")]
    Ended,
}

impl FetchError {
    /// Whether another try may go better.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            FetchError::Exit { .. } => true,
            FetchError::Shape
            | FetchError::TwoVaults { .. }
            | FetchError::NoFile { .. }
            | FetchError::Open { .. }
            | FetchError::File { .. }
            | FetchError::Start(_)
            | FetchError::TooLate { .. }
            | FetchError::Empty
            | FetchError::TooLong { .. }
            | FetchError::NoText
            | FetchError::Ended => false,
        }
    }
}
