//! The key by which clients know the server again.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{HashAlg, PrivateKey};

/// The server's key; all doors have the same.
#[derive(Clone)]
pub struct HostKey(pub(crate) PrivateKey);

/// Why there is no host key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// Its file cannot be read or written.
    #[error("the host key {path} cannot be read or made; may the data folder be written?")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its file holds no such key.
    #[error(
        "{path} is no private key of OpenSSH without a passphrase; restore it, or remove it for a new one"
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: russh::keys::ssh_key::Error,
    },
}

impl HostKey {
    /// The key in the file; at the first start one is made from 32 random bytes, readable by its owner only.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn load_or_create(path: &Path, random: impl FnOnce(&mut [u8; 32])) -> Result<HostKey, HostKeyError> {
        let of_file = |source| HostKeyError::File {
            path: path.to_owned(),
            source,
        };
        let of_key = |source| HostKeyError::Key {
            path: path.to_owned(),
            source,
        };
        match fs::read(path) {
            Ok(text) => PrivateKey::from_openssh(text).map(HostKey).map_err(of_key),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut seed = [0; 32];
                random(&mut seed);
                let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
                let key = PrivateKey::new(pair, "trainyard").map_err(of_key)?;
                let text = key.to_openssh(LineEnding::LF).map_err(of_key)?;
                write(path, text.as_bytes()).map_err(of_file)?;
                Ok(HostKey(key))
            }
            Err(error) => Err(of_file(error)),
        }
    }

    /// Its fingerprint, as `ssh` shows it at the first visit.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }
}

/// Whole or not at all.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ssh-host-key");
        let made = HostKey::load_or_create(&path, |seed| seed.fill(7)).unwrap();
        let again = HostKey::load_or_create(&path, |_| panic!("there is one")).unwrap();
        assert_eq!(made.fingerprint(), again.fingerprint());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "rubbish").unwrap();
        let error = HostKey::load_or_create(&path, |_| ()).err().unwrap();
        assert!(matches!(error, HostKeyError::Key { .. }), "{error}");
    }
}
