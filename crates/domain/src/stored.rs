//! The stored form of specs and statuses: JSON with a version, read old to new.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version that is written now.
pub const VERSION: u32 = 1;

/// What is kept in a column: `{"v": 1, "is": …}`.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    is: T,
}

/// Why a stored form cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// It does not have the shape of its version.
    #[error("a stored record cannot be read; the store may be damaged")]
    Shape(#[from] serde_json::Error),
    /// A newer Trainyard wrote it.
    #[error("a stored record has version {found}, this Trainyard knows {VERSION}; use a newer Trainyard")]
    Newer {
        /// The version found.
        found: u32,
    },
}

/// Writes the stored form.
pub fn write<T: Serialize>(value: &T) -> Result<String, StoredError> {
    Ok(serde_json::to_string(&Envelope {
        v: VERSION,
        is: value,
    })?)
}

/// Reads a stored form of this or an older version.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoredError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    match serde_json::from_str::<Envelope<T>>(text) {
        Ok(envelope) if envelope.v <= VERSION => Ok(envelope.is),
        Ok(envelope) => Err(StoredError::Newer { found: envelope.v }),
        Err(error) => match serde_json::from_str::<Version>(text) {
            Ok(Version { v }) if v > VERSION => Err(StoredError::Newer { found: v }),
            _ => Err(StoredError::Shape(error)),
        },
    }
}
