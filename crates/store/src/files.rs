//! Files that only their owner may read, and files that appear whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Read and write for the owner, nothing for anyone else.
pub(crate) const PRIVATE: u32 = 0o600;

/// `path` with `suffix` appended to its last part.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Creates `path`, which must not exist, with mode 0600 whatever the umask is.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    Ok(file)
}

/// Makes sure that `path` exists and has mode 0600.
pub(crate) fn ensure_private(path: &Path) -> io::Result<()> {
    match create_private(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => tighten(path),
        other => other.map(drop),
    }
}

/// Sets the mode of `path` to 0600; a file that does not exist is left alone.
pub(crate) fn tighten(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o777 == PRIVATE => Ok(()),
        Ok(_) => fs::set_permissions(path, Permissions::from_mode(PRIVATE)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The folder that holds `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Brings the entries of the folder that holds `path` to the disk.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// A private file under construction beside its final path: it is published whole, or removed when dropped.
pub(crate) struct Draft {
    path: PathBuf,
    published: bool,
}

impl Draft {
    /// An empty draft of `target`, in the same folder.
    pub(crate) fn of(target: &Path) -> io::Result<(Self, File)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = with_suffix(target, &format!(".part-{}-{number}", std::process::id()));
        // A file of this name can only be left over from a process of the same id that died.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = create_private(&path)?;
        Ok((
            Self {
                path,
                published: false,
            },
            file,
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the draft, gives it its final name and syncs the folder. Without `replace` an existing file of
    /// that name is an error of kind `AlreadyExists`.
    pub(crate) fn publish(mut self, target: &Path, replace: bool) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        if replace {
            fs::rename(&self.path, target)?;
        } else {
            rename_to_new(&self.path, target)?;
        }
        self.published = true;
        sync_folder_of(target)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Nothing more can be done about a draft that cannot be removed.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems (NFS) have no such rename: a look before is the best they offer.
        Err(Errno::INVAL | Errno::NOSYS) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        other => other.map_err(io::Error::from),
    }
}
