//! How a secret is had.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use trainyard_domain::secret::Secret;
use trainyard_domain::spec::KeyVaultSecretReference;

use crate::error::FetchError;
use crate::fetcher::Patience;
use crate::retries::Retries;
use crate::{command, folder};

/// Longest secret: more than a key vault holds.
const LIMIT: usize = 64 << 10;

/// How secrets are had.
#[derive(Clone, Default)]
pub struct Settings {
    /// Looked at first.
    pub folder: Option<PathBuf>,
    /// Program and arguments; empty is none.
    pub command: Vec<String>,
    /// What the command gets.
    pub environment: BTreeMap<OsString, OsString>,
    /// What one secret may take, all tries together.
    pub timeout: Duration,
    /// How many are asked for at once.
    pub parallel: usize,
}

/// Gets secrets, one at a time, in the thread of who asks.
pub struct Vaults {
    settings: Settings,
}

impl Vaults {
    /// By these settings; `None` when they know neither folder nor command.
    pub fn new(settings: Settings) -> Option<Vaults> {
        let known = settings.folder.is_some() || !settings.command.is_empty();
        known.then_some(Vaults { settings })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    pub(crate) fn parallel(&self) -> usize {
        self.settings.parallel.max(1)
    }

    /// Gets a secret.
    pub(crate) fn fetch(
        &self,
        reference: &KeyVaultSecretReference,
        patience: &Patience,
    ) -> Result<Secret, FetchError> {
        let secret = reference.secret().ok_or(FetchError::Shape)?;
        let id = reference.vault_name();
        if !id.eq_ignore_ascii_case(&secret.vault) {
            return Err(FetchError::TwoVaults {
                id: id.to_owned(),
                url: secret.vault,
            });
        }
        if let Some(folder) = &self.settings.folder
            && let Some(bytes) = folder::read(folder, &secret, LIMIT)?
        {
            return text(bytes);
        }
        if self.settings.command.is_empty() {
            return Err(FetchError::NoFile {
                file: folder::place(&secret),
            });
        }
        let arguments = command::arguments(&self.settings.command, reference, &secret);
        let mut attempt = 1;
        loop {
            let printed = command::run(&arguments, &self.settings.environment, LIMIT, patience);
            match printed.and_then(text) {
                Err(error) if error.may_pass() => {
                    let Some(wait) = Retries::KEY_VAULT.wait_after(attempt) else {
                        return Err(error);
                    };
                    // What it said last is worth more than that there is no time left.
                    if !patience.pause(wait)? {
                        return Err(error);
                    }
                    attempt += 1;
                }
                settled => return settled,
            }
        }
    }
}

/// The secret in what was found: one line end behind it is not part of it.
fn text(bytes: Vec<u8>) -> Result<Secret, FetchError> {
    if bytes.len() > LIMIT {
        return Err(FetchError::TooLong { limit: LIMIT });
    }
    let text = String::from_utf8(bytes).map_err(|_| FetchError::NoText)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.contains('\0') {
        return Err(FetchError::NoText);
    }
    if text.is_empty() {
        return Err(FetchError::Empty);
    }
    Ok(Secret::new(text))
}
