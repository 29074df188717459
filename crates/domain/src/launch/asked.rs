//! How a volume was asked for, and what is said when it cannot be had (errors.md).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::state::BatchAiError;

/// Code of an Azure file share that cannot be mounted.
pub const FILE_SHARE_FAILED: &str = "AZFMountError";
/// Code of a blob container that cannot be mounted.
pub const CONTAINER_FAILED: &str = "BFSMountError";
/// Code of a file server that cannot be mounted; none is recorded, this one is like its siblings.
pub const FILE_SERVER_FAILED: &str = "FileServerMountError";
/// Code of an unmanaged file system that cannot be mounted; none is recorded either.
pub const UNMANAGED_FAILED: &str = "UnmanagedMountError";
/// Code of a directory that cannot be shown, where the plan does not say how it was asked for.
pub const MOUNT_FAILED: &str = "MountFailed";

/// How a volume was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Asked {
    /// The plan does not say; plans of earlier versions do not.
    #[default]
    Unsaid,
    /// By `azureFileShares`.
    FileShare {
        /// The account.
        account: String,
        /// The share.
        share: String,
    },
    /// By `azureBlobFileSystems`.
    Container {
        /// The account.
        account: String,
        /// The container.
        container: String,
    },
    /// By `fileServers`: its id.
    FileServer(String),
    /// By `unmanagedFileSystems`.
    Unmanaged,
}

impl Asked {
    /// What is said when it cannot be mounted at `path`. `why` must hold no secret.
    #[must_use]
    pub fn failure(&self, path: &str, why: impl fmt::Display) -> BatchAiError {
        let (code, message, info) = match self {
            Asked::Unsaid => {
                let message = format!(
                    "The volume could not be mounted at {path}. Check that nothing else is there, and that its \
                     source can be used."
                );
                (MOUNT_FAILED, message, why.to_string())
            }
            Asked::FileShare { account, share } => (
                FILE_SHARE_FAILED,
                "Unable to mount Azure File".to_owned(),
                format!(
                    "Could not mount Azure File Share //{account}.file.core.windows.net/{share} at {path}: {why}"
                ),
            ),
            Asked::Container { account, container } => (
                CONTAINER_FAILED,
                "unable to mount blob fuse file system".to_owned(),
                format!("Could not mount blob container {container} of account {account} at {path}: {why}"),
            ),
            Asked::FileServer(id) => (
                FILE_SERVER_FAILED,
                format!("Unable to mount the file server {id}"),
                format!("Could not mount it at {path}: {why}"),
            ),
            Asked::Unmanaged => (
                UNMANAGED_FAILED,
                "Unable to mount an unmanaged file system".to_owned(),
                format!("Could not mount the file system at {path} by its mountCommand: {why}"),
            ),
        };
        let mut error = BatchAiError::new(code, message);
        if *self == Asked::Unsaid {
            error.details.push(("path".to_owned(), path.to_owned()));
        }
        error.details.push(("Info".to_owned(), info));
        error
    }
}

/// The exit code shown for a job that could not be started because of this error.
#[must_use]
pub fn exit_code_of(error: &BatchAiError) -> i32 {
    if error.code == CONTAINER_FAILED { 1 } else { -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_the_recorded_words() {
        let share = Asked::FileShare {
            account: "acc".to_owned(),
            share: "logs".to_owned(),
        };
        let error = share.failure("/m/x", "no route");
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("AZFMountError", "Unable to mount Azure File")
        );
        let info = "Could not mount Azure File Share //acc.file.core.windows.net/logs at /m/x: no route";
        assert_eq!(error.details, [("Info".to_owned(), info.to_owned())]);
        assert_eq!(exit_code_of(&error), -1);

        let container = Asked::Container {
            account: "acc".to_owned(),
            container: "c".to_owned(),
        };
        let error = container.failure("/m/y", "no such container");
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("BFSMountError", "unable to mount blob fuse file system")
        );
        assert_eq!(exit_code_of(&error), 1);
        for asked in [Asked::FileServer("/fs".to_owned()), Asked::Unmanaged] {
            let error = asked.failure("/m/z", "it is gone");
            let (_, info) = &error.details[0];
            assert!(info.contains("/m/z") && info.ends_with("it is gone"), "{info}");
            assert_eq!(exit_code_of(&error), -1);
        }
    }
}
