//! Accounts of Azure: containers, and file shares.

mod listing;
mod sas;

use std::collections::BTreeMap;

use jiff::Timestamp;
use trainyard_domain::launch::{Behind, CifsShare, MOUNT_MODE, RcloneRemote};

use super::endpoint::{Endpoint, query};
use super::page::RemotePage;
use crate::{Kind, Page, Place, ShareName};
pub use sas::SharedKey;
use sas::{Grant, Resource, Service};

/// What a job may do with a container or share that it mounts: read, create, write, delete, list. Nothing less lets it
/// change a file that is there.
const ON_A_NODE: &str = "rcwdl";
/// Of the kernel's client: encryption, the file ids of the server, and links within the share.
const CIFS_OPTIONS: &str = "vers=3.1.1,serverino,mfsymlinks";

/// How nodes mount file shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesBy {
    /// By the kernel's client, whose password is the account's key.
    Cifs,
    /// By rclone, with a signed link.
    Rclone,
}

/// An account of Azure.
#[derive(Debug, Clone)]
pub struct Azure {
    /// Name and key.
    pub key: SharedKey,
    /// Where its containers are.
    pub blob: Endpoint,
    /// Where its file shares are.
    pub file: Endpoint,
    /// How nodes mount those.
    pub files_by: FilesBy,
}

impl Azure {
    /// Where things of this kind are.
    pub(super) fn endpoint(&self, kind: Kind) -> &Endpoint {
        match kind {
            Kind::FileShare => &self.file,
            Kind::BlobContainer => &self.blob,
        }
    }

    fn signed(
        &self,
        kind: Kind,
        resource: Resource<'_>,
        permissions: &'static str,
        expires: Timestamp,
    ) -> String {
        self.key.sign(&Grant {
            service: service(kind),
            resource,
            permissions,
            expires,
            https: self.endpoint(kind).is_https(),
        })
    }

    /// The address of a page of a directory.
    pub(super) fn listing(&self, directory: &Place, page: &Page, expires: Timestamp) -> String {
        let (kind, share) = (directory.kind, directory.share.as_str());
        let signature = self.signed(kind, Resource::Share(share), "rl", expires);
        let limit = page.limit().to_string();
        let marker = page.after().map(|marker| ("marker", marker));
        let (path, parameters) = match kind {
            Kind::BlobContainer => {
                let prefix = listing::prefix(directory);
                let own = [
                    ("restype", "container"),
                    ("comp", "list"),
                    ("delimiter", "/"),
                    ("include", "metadata"),
                    ("prefix", prefix.as_str()),
                    ("maxresults", &limit),
                ];
                (self.blob.path_of([share]), query(own.into_iter().chain(marker)))
            }
            Kind::FileShare => {
                let own = [
                    ("restype", "directory"),
                    ("comp", "list"),
                    ("include", "Timestamps"),
                    ("maxresults", limit.as_str()),
                ];
                let segments = std::iter::once(share).chain(directory.path.segments());
                (self.file.path_of(segments), query(own.into_iter().chain(marker)))
            }
        };
        self.endpoint(kind)
            .url(&path, &format!("{parameters}&{signature}"))
    }

    /// Reads a page.
    pub(super) fn read_listing(&self, directory: &Place, body: &str) -> Option<RemotePage> {
        match directory.kind {
            Kind::BlobContainer => listing::of_blobs(&listing::prefix(directory), body),
            Kind::FileShare => listing::of_files(body),
        }
    }

    /// A link to a file.
    pub(super) fn link(&self, file: &Place, expires: Timestamp) -> String {
        let share = file.share.as_str();
        let signature = self.signed(file.kind, Resource::File(share, file.path.as_str()), "r", expires);
        let endpoint = self.endpoint(file.kind);
        let path = endpoint.path_of(std::iter::once(share).chain(file.path.segments()));
        endpoint.url(&path, &signature)
    }

    /// The address that makes a container or share.
    pub(super) fn making(&self, kind: Kind, share: &ShareName, expires: Timestamp) -> String {
        let endpoint = self.endpoint(kind);
        let restype = match kind {
            Kind::BlobContainer => "container",
            Kind::FileShare => "share",
        };
        let signature = self.key.sign_making(service(kind), expires, endpoint.is_https());
        let path = endpoint.path_of([share.as_str()]);
        endpoint.url(&path, &format!("restype={restype}&{signature}"))
    }

    /// What a node mounts.
    pub(super) fn behind(&self, kind: Kind, share: &ShareName, until: Timestamp) -> Behind {
        let signed = || self.signed(kind, Resource::Share(share.as_str()), ON_A_NODE, until);
        match (kind, self.files_by) {
            (Kind::BlobContainer, _) => {
                let path = self.blob.path_of([share.as_str()]);
                let url = self.blob.url(&path, &signed());
                rclone(&[("type", "azureblob"), ("sas_url", &url)], share.as_str())
            }
            (Kind::FileShare, FilesBy::Rclone) => {
                let url = self.file.url(&self.file.path_of([""]), &signed());
                let name = share.as_str();
                rclone(
                    &[("type", "azurefiles"), ("sas_url", &url), ("share_name", name)],
                    "",
                )
            }
            (Kind::FileShare, FilesBy::Cifs) => Behind::Cifs(CifsShare {
                host: self.file.host().to_owned(),
                port: self.file.port(),
                share: share.as_str().to_owned(),
                directory: String::new(),
                username: self.key.account().to_owned(),
                password: self.key.password(),
                file_mode: MOUNT_MODE.to_owned(),
                directory_mode: MOUNT_MODE.to_owned(),
                options: CIFS_OPTIONS.to_owned(),
            }),
        }
    }
}

/// A remote of rclone.
pub(super) fn rclone(settings: &[(&str, &str)], path: &str) -> Behind {
    let own = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Behind::Rclone(RcloneRemote {
        settings: own.collect::<BTreeMap<_, _>>(),
        path: path.to_owned(),
        file_mode: MOUNT_MODE.to_owned(),
        directory_mode: MOUNT_MODE.to_owned(),
    })
}

const fn service(kind: Kind) -> Service {
    match kind {
        Kind::BlobContainer => Service::Blob,
        Kind::FileShare => Service::File,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In base64 it is its own text.
    const KEY: &str = "hush7391";

    fn account(files_by: FilesBy) -> Azure {
        Azure {
            key: SharedKey::new("acc", KEY).unwrap(),
            blob: Endpoint::parse("https://acc.blob.example.org").unwrap(),
            file: Endpoint::parse("https://acc.file.example.org").unwrap(),
            files_by,
        }
    }

    fn mounted(files_by: FilesBy, kind: Kind) -> Behind {
        let until = "2030-01-02T03:04:05Z".parse().unwrap();
        account(files_by).behind(kind, &ShareName::new("data").unwrap(), until)
    }

    #[test]
    fn rclone_gets_a_link_and_no_key() {
        let end = "?se=2030-01-02T03%3A04%3A05Z&sp=rcwdl&spr=https&sv=2020-12-06&";
        for (kind, url, path) in [
            (Kind::BlobContainer, "https://acc.blob.example.org/data", "data"),
            (Kind::FileShare, "https://acc.file.example.org/", ""),
        ] {
            let behind = mounted(FilesBy::Rclone, kind);
            assert!(!serde_json::to_string(&behind).unwrap().contains(KEY));
            let Behind::Rclone(remote) = behind else {
                panic!("rclone mounts it");
            };
            assert_eq!(remote.path, path);
            let link = &remote.settings["sas_url"];
            assert!(link.starts_with(&format!("{url}{end}")), "{link}");
        }
    }

    #[test]
    fn the_kernel_gets_the_key_as_a_password_for_file_shares_alone() {
        let Behind::Cifs(share) = mounted(FilesBy::Cifs, Kind::FileShare) else {
            panic!("the kernel mounts it");
        };
        assert_eq!(share.address(), "//acc.file.example.org/data");
        assert_eq!((share.username.as_str(), share.password.as_str()), ("acc", KEY));
        assert!(matches!(
            mounted(FilesBy::Cifs, Kind::BlobContainer),
            Behind::Rclone(_)
        ));
    }
}
