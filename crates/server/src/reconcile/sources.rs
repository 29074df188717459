//! What is behind the volumes of a node or a job on this machine.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tracing::warn;
use trainyard_domain::spec::{FileServerReference, MountVolumes};
use trainyard_domain::state::{BatchAiError, Share, ShareKind};
use trainyard_storage::{AccountName, FolderName, Kind, RelativePath, ShareName};

use crate::ports::Ports;

/// Code of a file server that cannot be mounted; none is recorded (errors.md), this one is like its siblings.
const FILE_SERVER_FAILED: &str = "FileServerMountError";

/// Real directories of volumes, made when first asked for; a failure is kept for the end.
pub(super) struct Sources<'a> {
    ports: &'a Ports,
    volumes: Option<&'a MountVolumes>,
    folders: &'a BTreeMap<u32, String>,
    failed: RefCell<Option<BatchAiError>>,
}

impl<'a> Sources<'a> {
    /// Those of `volumes`; `folders` are the folders of its `fileServers` that are not gone.
    pub fn new(
        ports: &'a Ports,
        volumes: Option<&'a MountVolumes>,
        folders: &'a BTreeMap<u32, String>,
    ) -> Sources<'a> {
        Sources {
            ports,
            volumes,
            folders,
            failed: RefCell::new(None),
        }
    }

    /// The directory; where there is none the error is kept for [`Sources::check`].
    pub fn of(&self, found: Result<String, BatchAiError>) -> String {
        found.unwrap_or_else(|error| {
            self.failed.replace(Some(error));
            String::new()
        })
    }

    /// A plan made with these directories, or why they cannot be had.
    pub fn check<T>(&self, plan: Result<T, BatchAiError>) -> Result<T, BatchAiError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => plan,
        }
    }

    /// The directory of a share.
    pub fn share(&self, share: &Share) -> Result<String, BatchAiError> {
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
            failure(code, what, why)
        };
        let account = AccountName::new(&share.account).map_err(|error| failed(error.to_string()))?;
        let name = ShareName::new(&share.name).map_err(|error| failed(error.to_string()))?;
        let accounts = &self.ports.accounts;
        let path = accounts.ensure(&account, kind, &name);
        text(path.map_err(|error| failed(error.to_string()))?).map_err(failed)
    }

    /// The directory that an entry of `fileServers` mounts.
    pub fn file_server(&self, entry: usize) -> Result<String, BatchAiError> {
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
        text(path.map_err(|error| error.to_string())?)
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
