//! Secrets as files, kept by something else: a person, a sync, a driver of a secret store.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use trainyard_domain::spec::VaultSecret;

use crate::error::FetchError;

/// Anybody may read.
const EVERYBODY: u32 = 0o004;

/// Where a secret's file is beneath the folder.
pub fn place(secret: &VaultSecret) -> PathBuf {
    let place = Path::new(&secret.vault).join(&secret.name);
    match &secret.version {
        Some(version) => place.join(version),
        None => place,
    }
}

/// What the file holds, `limit` bytes and one more at most; `None` when there is no such file.
pub fn read(folder: &Path, secret: &VaultSecret, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
    let file = place(secret);
    let failed = |source| FetchError::File {
        file: file.clone(),
        source,
    };
    let opened = match File::open(folder.join(&file)) {
        Ok(opened) => opened,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let found = opened.metadata().map_err(failed)?;
    // A secret with versions alone is a folder.
    if found.is_dir() {
        return Ok(None);
    }
    if found.permissions().mode() & EVERYBODY != 0 {
        return Err(FetchError::Open { file });
    }
    let mut bytes = Vec::new();
    opened
        .take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn secret(version: Option<&str>) -> VaultSecret {
        VaultSecret {
            vault: "v".to_owned(),
            name: "s".to_owned(),
            version: version.map(str::to_owned),
        }
    }

    #[test]
    fn a_file_is_found_by_vault_name_and_version_and_is_not_for_everybody() {
        let place = tempfile::tempdir().unwrap();
        let read = |version| read(place.path(), &secret(version), 10);
        assert_eq!(read(None).unwrap(), None);
        fs::create_dir_all(place.path().join("v/s")).unwrap();
        let file = place.path().join("v/s/2");
        fs::write(&file, "two").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        assert_eq!(read(Some("2")).unwrap(), Some(b"two".to_vec()));
        assert_eq!((read(Some("1")).unwrap(), read(None).unwrap()), (None, None));
        fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(read(Some("2")), Err(FetchError::Open { .. })));
        fs::remove_dir_all(place.path().join("v/s")).unwrap();
        fs::write(place.path().join("v/s"), "").unwrap();
        assert_eq!(read(Some("2")).unwrap(), None, "a file has no versions");
    }
}
