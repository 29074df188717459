//! Free space.

use std::io;
use std::path::Path;

/// The bytes that an unprivileged process can still write on the file system of `path`.
///
/// # Errors
/// The system's error, such as for a path that does not exist.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let status = rustix::fs::statvfs(path)?;
    Ok(status.f_bavail.saturating_mul(status.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_within_the_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let status = rustix::fs::statvfs(folder.path()).unwrap();
        let free = free_bytes(folder.path()).unwrap();
        assert!(free > 0 && free <= status.f_blocks * status.f_frsize, "{free}");
        assert_eq!(
            free_bytes(&folder.path().join("missing")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
