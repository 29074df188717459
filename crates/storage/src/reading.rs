//! Opening output files.

use std::fs::File;

use jiff::Timestamp;
use rustix::fs::{FileType, OFlags, Stat, fstat};
use rustix::io::Errno;

use crate::{Accounts, Place, StorageError, beneath};

/// A regular file that was opened for reading.
#[derive(Debug)]
pub struct OpenFile {
    /// The file, at its start.
    pub file: File,
    /// Its length in bytes when it was opened; it may grow while its job runs.
    pub len: u64,
    /// Its last write.
    pub modified: Timestamp,
}

impl Accounts {
    /// Opens the regular file at `place`, never anything outside of its share and never a pipe or a device.
    ///
    /// # Errors
    /// [`StorageError::NotFound`], [`StorageError::NotAFile`], [`StorageError::Outside`] or
    /// [`StorageError::Io`].
    pub fn open(&self, place: &Place) -> Result<OpenFile, StorageError> {
        self.open_regular(place).map_err(|errno| match errno {
            Errno::NOTDIR => StorageError::NotFound(place.clone()),
            Errno::INVAL => StorageError::NotAFile(place.clone()),
            other => StorageError::at(place, "opening", other),
        })
    }

    /// `EINVAL` stands for what is no regular file.
    fn open_regular(&self, place: &Place) -> rustix::io::Result<OpenFile> {
        let share = self.open_share(place)?;
        // Opening a pipe or a device does something to it: look first, and again at what was opened, since it
        // can have been swapped in between.
        must_be_regular(&fstat(beneath::open(&share, &place.path, OFlags::PATH)?)?)?;
        let file = beneath::open(
            &share,
            &place.path,
            OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
        )?;
        let status = fstat(&file)?;
        must_be_regular(&status)?;
        Ok(OpenFile {
            file: File::from(file),
            len: len(&status),
            modified: modified(&status),
        })
    }
}

fn must_be_regular(status: &Stat) -> rustix::io::Result<()> {
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Errno::INVAL),
    }
}

/// The length in bytes; the kernel never reports a negative one.
pub(crate) fn len(status: &Stat) -> u64 {
    u64::try_from(status.st_size).unwrap_or(0)
}

/// The last write; the epoch where a file carries a time beyond all calendars (jobs can set any).
pub(crate) fn modified(status: &Stat) -> Timestamp {
    let nanoseconds = i32::try_from(status.st_mtime_nsec).unwrap_or(0);
    Timestamp::new(status.st_mtime, nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
