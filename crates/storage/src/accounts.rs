//! What stands for which storage account: a directory, or a store elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::ELSEWHERE;
use crate::remote::{Azure, Endpoint, FilesBy, SharedKey, Store};
use crate::{AccountName, Kind, Owner, Place, RelativePath, Remote, ShareName, StorageError, beneath};

/// New directories are written by their owner only, so that other users of the machine cannot plant files among a
/// job's. That is the server's own user, and of shares the one as which jobs run.
const DIRECTORY_MODE: u32 = 0o755;

/// The storage accounts of this server: names and their root directories.
///
/// Beneath a root lie `files/{share}` and `blobs/{container}`.
#[derive(Debug, Clone)]
pub struct Accounts {
    configured: BTreeMap<AccountName, Account>,
    default_root: PathBuf,
    owner: Option<Owner>,
}

/// What stands behind an account of the configuration.
#[derive(Debug, Clone)]
pub enum Account {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A store elsewhere.
    Remote(Arc<Remote>),
    /// An account of Azure whose key comes with what mounts its shares.
    KeyOfRequest(Unkeyed),
}

/// An account of Azure without its key.
#[derive(Debug, Clone)]
pub struct Unkeyed {
    /// Where its containers are.
    pub blob: Endpoint,
    /// Where its file shares are.
    pub file: Endpoint,
    /// How nodes mount those.
    pub files_by: FilesBy,
}

/// Where the files of an account are.
#[derive(Debug, Clone, Copy)]
pub enum At<'a> {
    /// On this machine.
    Here,
    /// In this store.
    Elsewhere(&'a Arc<Remote>),
    /// In a store that needs a key, see [`Accounts::by_key`].
    ElsewhereByKey,
}

impl Accounts {
    /// Accounts as configured; any other lies in `{data}/storage/{account}`.
    #[must_use]
    pub fn new(data: &Path, configured: BTreeMap<AccountName, Account>) -> Self {
        Self {
            configured,
            default_root: data.join("storage"),
            owner: None,
        }
    }

    /// The same, with new shares that belong to `owner`, where it is not this process's user as which jobs run.
    #[must_use]
    pub fn owned_by(self, owner: Option<Owner>) -> Self {
        Self { owner, ..self }
    }

    /// The root directory of an account, which may not exist yet; none where it is not on this machine.
    #[must_use]
    pub fn root(&self, account: &AccountName) -> Option<PathBuf> {
        match self.configured.get(account) {
            Some(Account::Directory(root)) => Some(root.clone()),
            Some(Account::Remote(_) | Account::KeyOfRequest(_)) => None,
            None => Some(self.default_root.join(account.as_str())),
        }
    }

    /// Where an account's files are.
    #[must_use]
    pub fn at(&self, account: &AccountName) -> At<'_> {
        match self.configured.get(account) {
            Some(Account::Remote(remote)) => At::Elsewhere(remote),
            Some(Account::KeyOfRequest(_)) => At::ElsewhereByKey,
            Some(Account::Directory(_)) | None => At::Here,
        }
    }

    /// The store of an account that has no key of its own, by this one in base64; `None` where it is no key.
    #[must_use]
    pub fn by_key(&self, account: &AccountName, key: &str) -> Option<Arc<Remote>> {
        let Some(Account::KeyOfRequest(unkeyed)) = self.configured.get(account) else {
            return None;
        };
        let azure = Azure {
            key: SharedKey::new(account.as_str(), key)?,
            blob: unkeyed.blob.clone(),
            file: unkeyed.file.clone(),
            files_by: unkeyed.files_by,
        };
        Some(Arc::new(Remote::new(account.clone(), Store::Azure(azure))))
    }

    /// The accounts that have no key of their own.
    pub fn without_key(&self) -> impl Iterator<Item = &AccountName> {
        self.configured
            .iter()
            .filter(|(_, account)| matches!(account, Account::KeyOfRequest(_)))
            .map(|(name, _)| name)
    }

    /// The accounts of the configuration, and those that have a directory in the data folder since they were used.
    ///
    /// # Errors
    /// When the directory of accounts cannot be read.
    pub fn known(&self) -> std::io::Result<BTreeSet<AccountName>> {
        let mut known: BTreeSet<AccountName> = self.configured.keys().cloned().collect();
        let entries = match fs::read_dir(&self.default_root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(known),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            // A name in other letters than an account's own would be found by nobody.
            let account = name.to_str().and_then(|name| {
                let account = AccountName::new(name).ok()?;
                (account.as_str() == name).then_some(account)
            });
            if let (Some(account), true) = (account, entry.file_type()?.is_dir()) {
                known.insert(account);
            }
        }
        Ok(known)
    }

    /// Makes the directory of a share where it is missing and answers its real path, without links, which
    /// nodes show under their mount roots. Whose one is that is there already is the administrator's word.
    ///
    /// # Errors
    /// [`StorageError::Outside`] where it was replaced by a link that leaves the account's root,
    /// [`StorageError::NotADirectory`] where something else has its name, [`StorageError::Io`] else.
    pub fn ensure(
        &self,
        account: &AccountName,
        kind: Kind,
        share: &ShareName,
    ) -> Result<PathBuf, StorageError> {
        let place = Place {
            account: account.clone(),
            kind,
            share: share.clone(),
            path: RelativePath::root(),
        };
        self.make(&place)
            .map_err(|source| match Errno::from_io_error(&source) {
                // Not "does not exist": that would be the wrong thing to say of what was just made.
                Some(errno) if errno != Errno::NOENT => StorageError::at(&place, "making", errno),
                _ => StorageError::Io {
                    doing: "making",
                    place: place.clone(),
                    source,
                },
            })
    }

    fn make(&self, place: &Place) -> std::io::Result<PathBuf> {
        let root = self.root(&place.account).ok_or(ELSEWHERE)?;
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(&root)?;
        let mut at = open_root(&root)?;
        let folder = share_path(place);
        let mut is_new = false;
        for segment in folder.segments() {
            is_new = match rustix::fs::mkdirat(&at, segment, Mode::from_raw_mode(DIRECTORY_MODE)) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(errno) => return Err(errno.into()),
            };
            at = beneath::open(
                &at,
                &RelativePath::trusted(segment.to_owned()),
                OFlags::PATH | OFlags::DIRECTORY,
            )?;
        }
        if let Some(owner) = self.owner.filter(|_| is_new) {
            owner.give(&at)?;
        }
        let real = fs::canonicalize(root.join(folder.as_str()))?;
        if !real.starts_with(fs::canonicalize(&root)?) {
            return Err(Errno::XDEV.into());
        }
        Ok(real)
    }

    /// The root directory of a place's share, opened beneath its account's root.
    pub(crate) fn open_share(&self, place: &Place) -> rustix::io::Result<OwnedFd> {
        let root = open_root(&self.root(&place.account).ok_or(ELSEWHERE)?)?;
        beneath::open(&root, &share_path(place), OFlags::PATH | OFlags::DIRECTORY)
    }
}

/// The account's root is the administrator's word: a link there is followed.
fn open_root(root: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

fn share_path(place: &Place) -> RelativePath {
    RelativePath::trusted(format!("{}/{}", place.kind.folder(), place.share))
}
