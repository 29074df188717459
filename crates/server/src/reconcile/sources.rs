//! What is behind the volumes of a node or a job.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::warn;
use trainyard_domain::launch::{Behind, key_of};
use trainyard_domain::spec::{FileServerReference, MountVolumes, SecretSource};
use trainyard_domain::state::{BatchAiError, Share, ShareKind};
use trainyard_storage::{AccountName, At, FolderName, Kind, RelativePath, Remote, ShareName};

use super::shares::{Look, Shares};
use crate::ports::Ports;

/// Code of a file server that cannot be mounted; none is recorded (errors.md), this one is like its siblings.
const FILE_SERVER_FAILED: &str = "FileServerMountError";

/// Why there is no plan.
pub(super) enum NoPlan {
    /// A share is being looked for; what waits for it is told again when it is found, or is not.
    Waits,
    /// It cannot be had.
    Failed(Box<BatchAiError>),
}

/// What is behind volumes, made when first asked for; a failure is kept for the end.
pub(super) struct Sources<'a> {
    ports: &'a Ports,
    shares: &'a Shares,
    volumes: Option<&'a MountVolumes>,
    folders: &'a BTreeMap<u32, String>,
    until: Timestamp,
    missing: RefCell<Option<NoPlan>>,
}

impl<'a> Sources<'a> {
    /// Those of `volumes`; `folders` are the folders of its `fileServers` that are not gone. `until` is the end of what
    /// may be done by them.
    pub fn new(
        ports: &'a Ports,
        shares: &'a Shares,
        volumes: Option<&'a MountVolumes>,
        folders: &'a BTreeMap<u32, String>,
        until: Timestamp,
    ) -> Sources<'a> {
        Sources {
            ports,
            shares,
            volumes,
            folders,
            until,
            missing: RefCell::new(None),
        }
    }

    /// A plan made with these, or why there is none.
    pub fn check<T>(&self, plan: Result<T, BatchAiError>) -> Result<T, NoPlan> {
        match self.missing.take() {
            Some(missing) => Err(missing),
            None => plan.map_err(|error| NoPlan::Failed(Box::new(error))),
        }
    }

    /// Keeps why something is missing. What failed already fails, whatever else is still being looked for.
    fn miss(&self, missing: NoPlan) {
        let mut kept = self.missing.borrow_mut();
        if !matches!(*kept, Some(NoPlan::Failed(_))) {
            *kept = Some(missing);
        }
    }

    /// What is behind a share; where that cannot be had yet, or at all, it is kept for [`Sources::check`].
    pub fn share(&self, share: &Share) -> Behind {
        self.find(share).unwrap_or_else(|missing| {
            self.miss(missing);
            Behind::Source(String::new())
        })
    }

    fn find(&self, share: &Share) -> Result<Behind, NoPlan> {
        let (kind, code, what) = match share.kind {
            ShareKind::File => (Kind::FileShare, "AZFMountError", "Unable to mount Azure File"),
            ShareKind::Blob => (
                Kind::BlobContainer,
                "BFSMountError",
                "unable to mount blob fuse file system",
            ),
        };
        let failed = |why: String| {
            warn!(
                account = share.account,
                share = share.name,
                why,
                "a share cannot be used"
            );
            NoPlan::Failed(Box::new(failure(code, what, why)))
        };
        let account = AccountName::new(&share.account).map_err(|error| failed(error.to_string()))?;
        let name = ShareName::new(&share.name).map_err(|error| failed(error.to_string()))?;
        let accounts = &self.ports.accounts;
        let by_key;
        let remote = match accounts.at(&account) {
            At::Here => None,
            At::Elsewhere(remote) => Some(remote),
            At::ElsewhereByKey => {
                by_key = self.by_key(&account, share).map_err(failed)?;
                Some(&by_key)
            }
        };
        match remote {
            None => {
                let path = accounts.ensure(&account, kind, &name);
                let path = path.map_err(|error| failed(error.to_string()))?;
                // Nodes follow no links: the operator's own are resolved here.
                let path = path.canonicalize().map_err(|error| failed(error.to_string()))?;
                let path = text(path);
                Ok(Behind::Source(path.map_err(failed)?))
            }
            Some(remote) => match self
                .shares
                .look(remote, &account, kind, &name, self.ports.clock.now())
            {
                Look::Waits => Err(NoPlan::Waits),
                Look::Missing(why) => Err(failed(why)),
                Look::There => Ok(remote.behind(kind, &name, self.until)),
            },
        }
    }

    /// The store of an account by the key that came with the share.
    fn by_key(&self, account: &AccountName, share: &Share) -> Result<Arc<Remote>, String> {
        let lacks = || format!("The account {account} has no key here, and none came with the volume.");
        let source = self.volumes.and_then(|volumes| key_of(volumes, share));
        let Some(SecretSource::Value(key)) = source else {
            return Err(lacks());
        };
        let bad = "The accountKey that came with the volume is no key: give it in base64, as Azure shows it.";
        let remote = self.ports.accounts.by_key(account, key.reveal());
        remote.ok_or_else(|| bad.to_owned())
    }

    /// The directory that an entry of `fileServers` mounts; kept like [`Sources::share`] where it cannot be had.
    pub fn file_server(&self, entry: usize) -> String {
        self.find_file_server(entry).unwrap_or_else(|error| {
            self.miss(NoPlan::Failed(Box::new(error)));
            String::new()
        })
    }

    fn find_file_server(&self, entry: usize) -> Result<String, BatchAiError> {
        let servers = self.volumes.map_or(&[][..], |volumes| &volumes.file_servers);
        let Some(reference) = servers.get(entry) else {
            return Err(failure(
                FILE_SERVER_FAILED,
                "Unable to mount a file server",
                format!("There is no entry {entry} in fileServers."),
            ));
        };
        let folder = u32::try_from(entry)
            .ok()
            .and_then(|entry| self.folders.get(&entry));
        self.directory(reference, folder).map_err(|why| {
            let id = reference.file_server.as_str();
            warn!(file_server = id, why, "a file server cannot be mounted");
            failure(
                FILE_SERVER_FAILED,
                &format!("Unable to mount the file server {id}"),
                why,
            )
        })
    }

    fn directory(&self, reference: &FileServerReference, folder: Option<&String>) -> Result<String, String> {
        let gone = "It is gone: make it again, then whatever mounts it.";
        let name = FolderName::new(folder.ok_or(gone)?).map_err(|error| error.to_string())?;
        // From the root of the file server, whether or not it is written as absolute.
        let source = reference.source_directory.as_deref().unwrap_or_default();
        let source =
            RelativePath::parse(source.trim_start_matches('/')).map_err(|error| error.to_string())?;
        let path = self.ports.file_servers.directory(&name, &source);
        let path = path.map_err(|error| error.to_string())?;
        // As for shares; what lies in the folder stays as asked.
        let root = self.ports.file_servers.path(&name);
        let asked = path.strip_prefix(&root).unwrap_or(&path);
        let root = root.canonicalize().map_err(|error| error.to_string())?;
        // Joined part by part: with nothing, `join` would leave a slash at the end.
        text(root.components().chain(asked.components()).collect())
    }
}

fn text(path: std::path::PathBuf) -> Result<String, String> {
    path.into_os_string()
        .into_string()
        .map_err(|_| "The directory's path is not UTF-8.".to_owned())
}

fn failure(code: &str, what: &str, why: String) -> BatchAiError {
    BatchAiError {
        details: vec![("Info".to_owned(), why)],
        ..BatchAiError::new(code, what)
    }
}
