//! What jobs of isolated nodes must not see.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::Config;

/// The data folder, and what else the configuration keeps data or keys in.
///
/// Folders are made if missing: one that comes later would not be hidden. Of a key its whole folder is hidden, since the
/// cover of a single file falls off when the file is replaced.
pub fn of(config: &Config) -> anyhow::Result<Vec<PathBuf>> {
    let accounts = || config.storage_accounts.values();
    let folders = [Some(config.data()), config.file_servers.directory.as_deref()];
    let folders = folders.into_iter().flatten();
    let folders = folders.chain(accounts().filter_map(|account| account.directory.as_deref()));
    let mut hidden = Vec::new();
    for folder in folders {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        hidden.push(folder.canonicalize()?);
    }
    let vaults = config.key_vaults.folder.as_ref();
    hidden.extend(vaults.and_then(|folder| folder.canonicalize().ok()));
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    for (key, folder) in keys(config) {
        if !hidden.iter().any(|covered| folder.starts_with(covered)) && !folder.starts_with("/run") {
            anyhow::ensure!(
                is_private(&folder, &users),
                "{} lies among files that jobs may read, and nodes that are isolated must hide it: put it in a folder of \
                 its own and close that with chmod 700",
                key.display()
            );
            hidden.push(folder);
        }
    }
    Ok(hidden)
}

/// The files of keys, each with the folder where it really lies. One that is missing is somebody else's complaint; but the
/// sealing key may be made later.
fn keys(config: &Config) -> impl Iterator<Item = (&Path, PathBuf)> {
    let sealing = config.secrets.key_file.as_deref();
    let accounts = config.storage_accounts.values();
    let of_accounts = accounts.flat_map(|account| [&account.key_file, &account.secret_access_key_file]);
    let there = of_accounts.chain([&config.tls.key]).flatten();
    let there = there.filter_map(|key| Some((key.as_path(), key.canonicalize().ok()?.parent()?.to_owned())));
    let sealing = sealing.into_iter().filter_map(|key| {
        let real = key.canonicalize().ok();
        let folder = real.as_deref().unwrap_or(key).parent()?;
        Some((key, folder.canonicalize().ok()?))
    });
    there.chain(sealing)
}

/// Whether a folder is closed to others, by itself or by one above it, and nobody's home (`users` are lines of
/// `/etc/passwd`), so that no job misses it.
fn is_private(folder: &Path, users: &str) -> bool {
    let homes = users.lines().filter_map(|line| line.split(':').nth(5));
    let homes: Vec<&Path> = homes.map(Path::new).collect();
    let closed = |path: &Path| fs::metadata(path).is_ok_and(|found| found.mode() & 0o007 == 0);
    let mut above = folder.ancestors().take_while(|path| !homes.contains(path));
    above.any(closed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn with_key(key: &Path, data: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let mut config = Config {
            data: Some(data.to_owned()),
            ..Config::default()
        };
        config.secrets.key_file = Some(key.to_owned());
        of(&config)
    }

    #[test]
    fn a_keys_folder_is_hidden_and_must_be_closed() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        let (data, keys) = (base.join("data"), base.join("keys"));
        fs::create_dir(&keys).unwrap();
        let mode = |mode| fs::set_permissions(&keys, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o755);
        let error = with_key(&keys.join("key"), &data).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
        mode(0o700);
        let expected = vec![data.clone(), keys.clone()];
        assert_eq!(with_key(&keys.join("key"), &data).unwrap(), expected);
        fs::write(keys.join("key"), "").unwrap();
        std::os::unix::fs::symlink(keys.join("key"), base.join("link")).unwrap();
        assert_eq!(with_key(&base.join("link"), &data).unwrap(), expected);
        assert_eq!(with_key(&data.join("key"), &data).unwrap(), vec![data.clone()]);
    }

    #[test]
    fn a_home_is_no_folder_for_a_key() {
        let base = tempfile::tempdir().unwrap();
        let users = format!("a:x:1000:1000::{}:/bin/sh", base.path().display());
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o700)).unwrap();
        for folder in [base.path(), &base.path().join("project")] {
            fs::create_dir_all(folder).unwrap();
            assert!(is_private(folder, ""));
            assert!(!is_private(folder, &users));
        }
    }
}
