//! The data folder, and files for their owner only.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;

/// Makes the data folder if it is missing, for its owner only; one that is there is closed to others.
///
/// # Errors
/// When it cannot be made, or is not ours.
pub fn make(data: &Path) -> anyhow::Result<()> {
    let failed = || {
        format!(
            "the data folder {} cannot be made: give another with --data",
            data.display()
        )
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(failed)?;
    let mut mode = data.metadata().with_context(failed)?.permissions();
    if mode.mode() & 0o077 != 0 {
        mode.set_mode(0o700);
        std::fs::set_permissions(data, mode).with_context(|| {
            format!(
                "the data folder {} is open to others and cannot be closed: run chmod 700 on it",
                data.display()
            )
        })?;
    }
    Ok(())
}

/// Makes a folder for its owner only, with those that it lies in.
///
/// # Errors
/// When it cannot be made.
pub fn make_private(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("{} cannot be made", folder.display()))
}

/// Writes a file whole or not at all, readable by its owner only.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", path.display());
    let draft = path.with_extension("new");
    let _ = std::fs::remove_file(&draft);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .with_context(failed)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .with_context(failed)?;
    std::fs::rename(&draft, path).with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_for_its_owner_only() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("a/b");
        let mode = || data.metadata().unwrap().permissions().mode() & 0o777;
        make(&data).unwrap();
        assert_eq!(mode(), 0o700);
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
        make(&data).unwrap();
        assert_eq!(mode(), 0o700);
        std::fs::write(place.path().join("file"), "").unwrap();
        let said = format!("{:#}", make(&place.path().join("file/x")).unwrap_err());
        assert!(said.contains("file/x") && said.contains("--data"), "{said}");
    }
}
