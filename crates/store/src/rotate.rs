//! Another key for what is sealed, while the server serves.
//!
//! A rotation is made of steps that are each over before the next: the new key is on disk before anything is sealed by
//! it, the old one leaves the disk after the last row is moved and that is on disk too. So whoever dies between two
//! steps, or within one, leaves a store that opens with what the key file holds, and the next one goes on.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use tracing::info;

use crate::db::WriteError;
use crate::seal::{KeyError, Origin};
use crate::store::Store;
use crate::tables::{SealedPlace, StoreError};

/// Why a rotation does not go on. What is moved stays moved, and nothing is unreadable.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The operator keeps the key, so a new one must come from there.
    #[error(
        "the key comes from {origin}, so Trainyard cannot replace it: put the new key there as the first line, before \
         the old one, start the server again, then rotate"
    )]
    OneKey {
        /// Where it comes from.
        origin: Origin,
    },
    /// The key file.
    #[error("the key file could not be used")]
    Key(#[from] KeyError),
    /// The store.
    #[error("the store could not be sealed anew")]
    Store(#[from] StoreError),
    /// Something is sealed by a key that is not at hand, or was again and again.
    #[error("{count} secrets are still sealed by other keys; the old key stays")]
    Left {
        /// How many.
        count: u64,
    },
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Id of the key that seals now.
    pub key: String,
    /// How many sealed values this rotation has moved so far.
    pub moved: u64,
    /// Nothing is left: all is sealed by that key.
    pub done: bool,
}

/// The rotation that is under way in this process.
#[derive(Default)]
pub(crate) struct Rotation {
    under_way: Option<Progress>,
}

#[derive(Default)]
struct Progress {
    /// What is looked at next.
    next: SealedPlace,
    moved: u64,
}

impl Store {
    /// One step of a rotation, begun where none is under way: bounded, so it can be called from a request. Call it until
    /// it is done. Two callers move one rotation on together.
    ///
    /// # Errors
    /// [`RotateError`].
    pub fn rotate(&self) -> Result<Rotated, RotateError> {
        let mut rotation = self.rotation.lock().unwrap_or_else(PoisonError::into_inner);
        let mut progress = match rotation.under_way.take() {
            Some(progress) => progress,
            None => self.begin()?,
        };
        let mut rotated = Rotated {
            key: self.key_ids().into_iter().next().unwrap_or_default(),
            moved: progress.moved,
            done: false,
        };
        if self.move_some(&mut progress)? {
            rotated.moved = progress.moved;
            rotation.under_way = Some(progress);
            return Ok(rotated);
        }
        self.finish(&rotated.key)?;
        info!(
            key = rotated.key,
            moved = rotated.moved,
            "all secrets are sealed by the new key"
        );
        Ok(Rotated {
            done: true,
            ..rotated
        })
    }

    /// Has a new key seal, unless a rotation that did not end has brought one already.
    fn begin(&self) -> Result<Progress, RotateError> {
        let ids = self.key_ids();
        match self.key.origin() {
            Origin::File(path) if ids.len() == 1 => self.key.add_new(path)?,
            Origin::File(_) => {}
            origin => {
                let first = ids.first();
                let other = |(id, _): (&String, &u64)| Some(id) != first;
                if ids.len() == 1 && !self.sealed_by()?.iter().any(other) {
                    return Err(RotateError::OneKey {
                        origin: origin.clone(),
                    });
                }
            }
        }
        info!(keys = ?self.key_ids(), "secrets are sealed anew, by the first of these keys");
        // Whatever was sealed by the old key until now is on disk when this is answered.
        self.write(|_| Ok::<(), StoreError>(()))
            .wait()
            .map_err(WriteError::flatten)?;
        Ok(Progress::default())
    }

    /// Moves a batch; whether there may be more.
    fn move_some(&self, progress: &mut Progress) -> Result<bool, RotateError> {
        // Looked for by a reader, so that the writer is not kept.
        let (batch, next) = self.read(|s| s.sealed_by_others(&progress.next))?;
        let Some(next) = next else { return Ok(false) };
        if !batch.is_empty() {
            let moved = self.write(move |tx| tx.seal_anew(&batch)).wait();
            progress.moved += moved.map_err(WriteError::flatten)?;
        }
        progress.next = next;
        Ok(true)
    }

    fn finish(&self, first: &str) -> Result<(), RotateError> {
        let sealed = self.sealed_by()?;
        let count = sealed.iter().filter(|(id, _)| *id != first).map(|(_, n)| n).sum();
        if count > 0 {
            return Err(RotateError::Left { count });
        }
        if let Origin::File(path) = self.key.origin() {
            self.key.keep_first(path)?;
        }
        Ok(())
    }

    /// Where the keys come from.
    pub fn key_origin(&self) -> &Origin {
        self.key.origin()
    }

    /// Ids of the keys at hand, that of the one that seals first.
    pub fn key_ids(&self) -> Vec<String> {
        self.key.ids()
    }

    /// How many values each key has sealed, by its id. It reads all that is sealed.
    ///
    /// # Errors
    /// The store's.
    pub fn sealed_by(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        self.read(|s| s.sealed_by())
    }
}
