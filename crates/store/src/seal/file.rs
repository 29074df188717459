//! The key file: private, whole or not at all, and no copy of a key that was replaced left beside it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::text::{self, KeyBytes, TextError};
use crate::files::{Draft, folder_of};

/// A key file is far shorter; more is not read.
const LIMIT: u64 = 4096;

/// Why the key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others than the owner may read or write the key file.
    #[error(
        "the key file {} has mode {mode:03o}, so others than its owner could use it; \
         run chmod 600 on it, and renew the secrets if somebody may have read it",
        path.display()
    )]
    Open {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "the file {} is no Trainyard key file, it {reason}; put the right one back from your backup",
        path.display()
    )]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: TextError,
    },
    /// There is none, and there was one once.
    #[error(
        "there is no key file {}, and without it the secrets in the store stay sealed: put it back from your backup, \
         mode 600, or give its text in the variable TRAINYARD_SECRET_KEY",
        path.display()
    )]
    Missing {
        /// Where it is looked for.
        path: PathBuf,
    },
    /// It is not what it was when the server started.
    #[error(
        "the key file {} was changed by somebody else since it was read; start the server again, then try once more",
        path.display()
    )]
    Changed {
        /// The key file.
        path: PathBuf,
    },
    /// What the variable or the credential holds is no key.
    #[error("{origin} {reason}")]
    Text {
        /// Where the text comes from.
        origin: String,
        /// What is wrong with it.
        reason: TextError,
    },
    /// The key file could not be read or written.
    #[error("the key file {} cannot be {action}", path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// `"read"`, `"created"` or `"replaced"`.
        action: &'static str,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// No randomness for a new key.
    #[error("no random bytes could be had for a new key")]
    Random(#[source] io::Error),
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> KeyError {
    move |source| KeyError::File {
        path: path.to_owned(),
        action,
        source,
    }
}

/// The keys in the file at `path`, `None` when there is no such file.
pub fn load(path: &Path) -> Result<Option<Vec<KeyBytes>>, KeyError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "read")(error)),
    };
    let mode = file
        .metadata()
        .map_err(failed(path, "read"))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let mut bytes = Vec::new();
    file.take(LIMIT)
        .read_to_end(&mut bytes)
        .map_err(failed(path, "read"))?;
    // What is no text is damaged in its first line.
    let parsed = str::from_utf8(&bytes)
        .map_err(|_| TextError::Form { line: 1 })
        .and_then(text::parse);
    parsed.map(Some).map_err(|reason| KeyError::NotAKey {
        path: path.to_owned(),
        reason,
    })
}

/// Makes the file; one that is there is an error of kind `AlreadyExists`.
pub fn create(path: &Path, keys: &[KeyBytes]) -> io::Result<()> {
    let (draft, mut file) = Draft::of(path)?;
    file.write_all(text::write(keys).as_bytes())?;
    draft.publish(path, false)
}

/// Puts other keys into the file, at once and on disk when this returns. What stood in it is written over as far as the
/// file system does that.
pub fn replace(path: &Path, keys: &[KeyBytes]) -> Result<(), KeyError> {
    let replaced = || -> io::Result<()> {
        let old = fs::OpenOptions::new().write(true).open(path);
        let (draft, mut file) = Draft::of(path)?;
        file.write_all(text::write(keys).as_bytes())?;
        draft.publish(path, true)?;
        // A copy by another name, such as a backup of hard links, is not ours to spoil.
        old.map_or(Ok(()), overwrite_if_unlinked)
    };
    replaced().map_err(failed(path, "replaced"))
}

fn overwrite_if_unlinked(mut file: File) -> io::Result<()> {
    let found = file.metadata()?;
    if found.nlink() > 0 {
        return Ok(());
    }
    let zeros = vec![0; usize::try_from(found.size().min(LIMIT)).unwrap_or_default()];
    file.rewind()?;
    file.write_all(&zeros)?;
    file.sync_all()
}

/// Removes drafts of processes that died over them: they hold keys. Nobody else may be writing the file.
pub fn remove_drafts(path: &Path) -> io::Result<()> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Ok(());
    };
    let prefix = format!("{name}.part-");
    let entries = match fs::read_dir(folder_of(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
