//! Where something lies in storage.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AccountName, BadPath, RelativePath, ShareName};

/// The two kinds of Azure storage that jobs mount (behaviour.md section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// An Azure Files share.
    FileShare,
    /// A blob container.
    BlobContainer,
}

impl Kind {
    /// The folder of this kind beneath an account's root, and its name in links.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::FileShare => "files",
            Self::BlobContainer => "blobs",
        }
    }

    pub(crate) fn from_folder(folder: &str) -> Option<Self> {
        [Self::FileShare, Self::BlobContainer]
            .into_iter()
            .find(|kind| kind.folder() == folder)
    }
}

/// Where a directory or file lies: recorded for each output directory when its job is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The storage account.
    pub account: AccountName,
    /// File share or blob container.
    pub kind: Kind,
    /// The share's or container's name.
    pub share: ShareName,
    /// The path beneath the share's root.
    pub path: RelativePath,
}

impl Place {
    /// The place `path` beneath this one.
    ///
    /// # Errors
    /// [`BadPath`] as [`RelativePath::join`].
    pub fn join(&self, path: &str) -> Result<Self, BadPath> {
        Ok(Self {
            path: self.path.join(path)?,
            ..self.clone()
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::FileShare => "file share",
            Kind::BlobContainer => "container",
        };
        let (path, share) = (self.path.to_string(), self.share.as_str());
        write!(
            f,
            "{path:?} in {kind} {share:?} of storage account {:?}",
            self.account.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORED: &str = r#"{"account":"acc","kind":"blobContainer","share":"$web","path":"a/b"}"#;

    #[test]
    fn the_stored_form_reads_back_and_is_checked() {
        let place: Place = serde_json::from_str(STORED).unwrap();
        assert_eq!(serde_json::to_string(&place).unwrap(), STORED);
        for (from, to) in [("a/b", "a/../b"), ("a/b", "/a"), ("$web", ".."), ("acc", "../x")] {
            assert!(
                serde_json::from_str::<Place>(&STORED.replace(from, to)).is_err(),
                "{to}"
            );
        }
    }
}
