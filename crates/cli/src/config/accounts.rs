//! `[storage_accounts.NAME]`: what stands behind a storage account.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trainyard_storage::Endpoint;

use super::check::{Unusable, require};

/// What an account is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// A directory of this machine.
    #[default]
    Directory,
    /// An account of Azure.
    Azure,
    /// A store that speaks S3.
    S3,
}

/// How nodes mount the file shares of an account of Azure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Files {
    /// By the kernel.
    #[default]
    Cifs,
    /// By rclone.
    Rclone,
}

/// `[storage_accounts.NAME]`. Which members there must be is told by the kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageAccount {
    pub kind: AccountKind,
    /// The resource group in its id.
    pub resource_group: Option<String>,
    /// Of a directory: where its shares and containers lie.
    pub directory: Option<PathBuf>,
    /// Of Azure: where its key is.
    pub key_file: Option<PathBuf>,
    pub key_variable: Option<String>,
    /// Whether it comes with the requests instead.
    pub key_of_requests: Option<bool>,
    /// Where it is reached, if not in the public cloud.
    pub blob_endpoint: Option<String>,
    pub file_endpoint: Option<String>,
    /// How nodes mount its file shares.
    pub files: Option<Files>,
    /// Of S3: where it is reached.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// The bucket that all its containers and shares are in.
    pub bucket: Option<String>,
    /// Who asks, and where the secret is.
    pub access_key_id: Option<String>,
    pub secret_access_key_file: Option<PathBuf>,
    pub secret_access_key_variable: Option<String>,
}

impl fmt::Display for AccountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccountKind::Directory => "directory",
            AccountKind::Azure => "azure",
            AccountKind::S3 => "s3",
        })
    }
}

impl StorageAccount {
    /// Its paths, which start from where they are written.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let paths = [
            &mut self.directory,
            &mut self.key_file,
            &mut self.secret_access_key_file,
        ];
        paths.into_iter().flatten()
    }

    /// The members that belong to one kind, and whether they are there.
    fn members(&self) -> [(AccountKind, &'static str, bool); 13] {
        use AccountKind::{Azure, Directory, S3};
        [
            (Directory, "directory", self.directory.is_some()),
            (Azure, "key_file", self.key_file.is_some()),
            (Azure, "key_variable", self.key_variable.is_some()),
            (Azure, "key_of_requests", self.key_of_requests == Some(true)),
            (Azure, "blob_endpoint", self.blob_endpoint.is_some()),
            (Azure, "file_endpoint", self.file_endpoint.is_some()),
            (Azure, "files", self.files.is_some()),
            (S3, "endpoint", self.endpoint.is_some()),
            (S3, "region", self.region.is_some()),
            (S3, "bucket", self.bucket.is_some()),
            (S3, "access_key_id", self.access_key_id.is_some()),
            (
                S3,
                "secret_access_key_file",
                self.secret_access_key_file.is_some(),
            ),
            (
                S3,
                "secret_access_key_variable",
                self.secret_access_key_variable.is_some(),
            ),
        ]
    }

    /// What each kind must have: one of these.
    const fn needed(&self) -> &'static [&'static [&'static str]] {
        match self.kind {
            AccountKind::Directory => &[&["directory"]],
            AccountKind::Azure => &[&["key_file", "key_variable", "key_of_requests"]],
            AccountKind::S3 => &[
                &["endpoint"],
                &["access_key_id"],
                &["secret_access_key_file", "secret_access_key_variable"],
            ],
        }
    }

    /// Checks the account whose keys begin with `name`.
    pub(super) fn check(&self, name: &str) -> Result<(), Unusable> {
        let members = self.members();
        let kind = self.kind;
        if let Some((of, member, _)) = members.iter().find(|(of, _, there)| *there && *of != kind) {
            return Err(Unusable::Account {
                key: format!("{name}.{member}"),
                found: "does not belong here",
                rule: format!("it is of kind = \"{of}\", and this account is of kind = \"{kind}\""),
            });
        }
        for one_of in self.needed() {
            let there = |member: &str| members.iter().any(|(_, other, there)| *there && *other == member);
            let given = one_of.iter().filter(|member| there(member)).count();
            if given != 1 {
                let (first, rest) = (one_of.first().copied().unwrap_or_default(), one_of.get(1..));
                let others = rest.unwrap_or_default().join(" or ");
                let or = if others.is_empty() {
                    others
                } else {
                    format!(", or {others},")
                };
                return Err(Unusable::Account {
                    key: format!("{name}.{first}"),
                    found: if given == 0 { "is missing" } else { "is not alone" },
                    rule: format!("an account of kind = \"{kind}\" has it{or} once"),
                });
            }
        }
        for (member, value) in [
            ("blob_endpoint", &self.blob_endpoint),
            ("file_endpoint", &self.file_endpoint),
            ("endpoint", &self.endpoint),
        ] {
            let Some(value) = value else { continue };
            let rule =
                "write it as https://HOST or http://HOST:PORT, without user, query or slash at its end";
            require(
                Endpoint::parse(value).is_ok(),
                &format!("{name}.{member}"),
                value,
                rule,
            )?;
        }
        if let Some(bucket) = &self.bucket {
            let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
            let good = (3..=63).contains(&bucket.len()) && bucket.bytes().all(legal);
            let rule = "a bucket is 3 to 63 lower-case letters, digits, '-' and '.'";
            require(good, &format!("{name}.bucket"), bucket, rule)?;
        }
        let Some(group) = &self.resource_group else {
            return Ok(());
        };
        let rule = "a group is 1 to 90 letters, digits, '-', '_', '.' and brackets, with no '.' at its end";
        let good = trainyard_domain::name::GroupName::new(group).is_ok();
        require(good, &format!("{name}.resource_group"), group, rule)
    }
}
