//! Stores that speak S3, by path-style addresses: `ENDPOINT/BUCKET/KEY`.

mod sign;

use jiff::{SignedDuration, Timestamp};
use trainyard_domain::launch::Behind;

use super::OWN_CALLS;
use super::azure::rclone;
use super::endpoint::Endpoint;
use super::page::{Entries, RemotePage, child, read, text};
use crate::{EntryKind, Kind, Page, Place, RelativePath, ShareName};
use sign::Asked;
pub use sign::Credentials;

/// The longest time that a link can be good for: a week.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A store that speaks S3.
#[derive(Debug, Clone)]
pub struct S3 {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Who asks.
    pub credentials: Credentials,
    /// The bucket that everything is in, as in a directory: `files/SHARE/…` and `blobs/CONTAINER/…`. Without it each
    /// container or share is the bucket of its name.
    pub bucket: Option<String>,
}

impl S3 {
    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn bucket<'a>(&'a self, share: &'a ShareName) -> &'a str {
        self.bucket.as_deref().unwrap_or(share.as_str())
    }

    /// The key of something in a share, without a slash at either end.
    fn key(&self, kind: Kind, share: &ShareName, path: &RelativePath) -> String {
        match (&self.bucket, path.as_str()) {
            (None, path) => path.to_owned(),
            (Some(_), "") => format!("{}/{share}", kind.folder()),
            (Some(_), path) => format!("{}/{share}/{path}", kind.folder()),
        }
    }

    /// What the keys of everything beneath a directory begin with.
    fn prefix(&self, directory: &Place) -> String {
        match self.key(directory.kind, &directory.share, &directory.path) {
            key if key.is_empty() => key,
            key => format!("{key}/"),
        }
    }

    fn signed(
        &self,
        method: &str,
        path: &str,
        parameters: &[(&str, &str)],
        now: Timestamp,
        holds: SignedDuration,
    ) -> String {
        let seconds = holds.clamp(SignedDuration::from_secs(1), LONGEST).as_secs();
        self.credentials.presign(
            &self.endpoint,
            &Asked {
                method,
                path,
                parameters,
                now,
                seconds: u32::try_from(seconds).unwrap_or(1),
            },
        )
    }

    /// The address of a page of a directory.
    pub(super) fn listing(&self, directory: &Place, page: &Page, now: Timestamp) -> String {
        let (prefix, limit) = (self.prefix(directory), page.limit().to_string());
        let mut parameters = vec![
            ("list-type", "2"),
            ("delimiter", "/"),
            ("prefix", prefix.as_str()),
            ("max-keys", &limit),
        ];
        parameters.extend(page.after().map(|token| ("continuation-token", token)));
        let path = self.endpoint.path_of([self.bucket(&directory.share)]);
        self.signed("GET", &path, &parameters, now, OWN_CALLS)
    }

    /// Reads a page.
    pub(super) fn read_listing(&self, directory: &Place, body: &str) -> Option<RemotePage> {
        let prefix = self.prefix(directory);
        let document = read(body)?;
        let root = document.root_element();
        if root.tag_name().name() != "ListBucketResult" {
            return None;
        }
        let mut entries = Entries::default();
        for node in root.children().filter(|node| node.is_element()) {
            match node.tag_name().name() {
                "Contents" => {
                    let kind = EntryKind::File {
                        len: text(node, "Size")?.parse().ok()?,
                        modified: text(node, "LastModified")?.parse().ok()?,
                    };
                    let name = text(node, "Key")?.strip_prefix(&prefix);
                    entries.add(name.unwrap_or_default(), kind);
                }
                "CommonPrefixes" => {
                    let name = child(node, "Prefix")?.text()?.strip_prefix(&prefix);
                    let name = name.and_then(|name| name.strip_suffix('/'));
                    entries.add(name.unwrap_or_default(), EntryKind::Directory);
                }
                _ => {}
            }
        }
        Some(entries.page(text(root, "NextContinuationToken").map(str::to_owned)))
    }

    /// A link to a file.
    pub(super) fn link(&self, file: &Place, now: Timestamp, expires: Timestamp) -> String {
        let key = self.key(file.kind, &file.share, &file.path);
        let segments = std::iter::once(self.bucket(&file.share)).chain(key.split('/'));
        let path = self.endpoint.path_of(segments);
        self.signed("GET", &path, &[], now, expires.duration_since(now))
    }

    /// The address to be asked with HEAD whether the bucket is there.
    pub(super) fn looking(&self, share: &ShareName, now: Timestamp) -> String {
        let path = self.endpoint.path_of([self.bucket(share)]);
        self.signed("HEAD", &path, &[], now, OWN_CALLS)
    }

    /// What a node mounts. rclone cannot go by links here: the node gets the key.
    pub(super) fn behind(&self, kind: Kind, share: &ShareName) -> Behind {
        let credentials = &self.credentials;
        let endpoint = self.endpoint.to_string();
        let key = self.key(kind, share, &RelativePath::root());
        let path = format!("{}/{key}", self.bucket(share));
        let settings = [
            ("type", "s3"),
            ("provider", "Other"),
            ("endpoint", &endpoint),
            ("region", &credentials.region),
            ("access_key_id", &credentials.access_key_id),
            ("secret_access_key", &credentials.secret_access_key),
            ("no_check_bucket", "true"),
        ];
        rclone(&settings, path.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccountName;

    fn store(bucket: Option<&str>) -> S3 {
        S3 {
            endpoint: Endpoint::parse("http://127.0.0.1:9000").unwrap(),
            credentials: Credentials {
                region: "eu-north-1".to_owned(),
                access_key_id: "KEYID".to_owned(),
                secret_access_key: "SECRET/+key".to_owned(),
            },
            bucket: bucket.map(str::to_owned),
        }
    }

    fn place(share: &str, path: &str) -> Place {
        Place {
            account: AccountName::new("acc").unwrap(),
            kind: Kind::BlobContainer,
            share: ShareName::new(share).unwrap(),
            path: RelativePath::parse(path).unwrap(),
        }
    }

    fn now() -> Timestamp {
        "2030-01-02T03:04:05Z".parse().unwrap()
    }

    /// What the vendor's library (botocore 1.44.8) makes of the same requests. The server of the Python tests does not
    /// look at signatures.
    #[test]
    fn signatures_are_the_vendors() {
        let link = store(Some("bucket")).link(
            &place("data", "a b/ü%.txt"),
            now(),
            now() + SignedDuration::from_mins(10),
        );
        assert!(
            link.starts_with("http://127.0.0.1:9000/bucket/blobs/data/a%20b/%C3%BC%25.txt?X-Amz-Algorithm="),
            "{link}"
        );
        let signed = "X-Amz-Signature=710dd6d91f4844642659a486b375602a80528bc6353383c955cbcca27573e7c8";
        assert!(
            link.contains("X-Amz-Expires=600&") && link.ends_with(signed),
            "{link}"
        );
        let page = Page::new(Some("x+/=".to_owned()), 3);
        let listing = store(None).listing(&place("bucket", "a b/ü"), &page, now());
        let signed = "X-Amz-Signature=3230daab83484b310bb9aa5a51f596827f698aa772a0257c6896714a46b46488";
        assert!(
            listing.contains("prefix=a%20b%2F%C3%BC%2F") && listing.ends_with(signed),
            "{listing}"
        );
    }

    #[test]
    fn links_hold_for_a_week_at_most() {
        let link = store(None).link(
            &place("bucket", "f"),
            now(),
            now() + SignedDuration::from_hours(1000),
        );
        assert!(link.contains("X-Amz-Expires=604800&"), "{link}");
    }

    #[test]
    fn a_node_mounts_the_bucket_or_its_part_of_one() {
        let share = ShareName::new("data").unwrap();
        for (bucket, path) in [(None, "data"), (Some("lake"), "lake/files/data")] {
            let Behind::Rclone(remote) = store(bucket).behind(Kind::FileShare, &share) else {
                panic!("rclone mounts it");
            };
            assert_eq!(remote.path, path);
            assert_eq!(remote.settings["secret_access_key"], "SECRET/+key");
        }
    }
}
