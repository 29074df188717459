//! Shared access signatures: links into an account that say what they allow, and until when, without its key.
//!
//! What is signed is one line for each field in a fixed order, told by the vendor for each kind of signature. All are
//! of the version [`VERSION`].

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::super::mac::hmac;
use crate::remote::endpoint::query;

/// The version of the service that signatures are made for, and that requests with them are answered by. It is the
/// first with the fields that are signed here, and is old enough for emulators.
pub const VERSION: &str = "2020-12-06";

/// The two services of an account that shares and containers lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Containers.
    Blob,
    /// File shares.
    File,
}

/// What a signature is for.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// A whole container or share.
    Share(&'a str),
    /// One file in it: share and path.
    File(&'a str, &'a str),
}

/// What a link allows.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    /// Of which service.
    pub service: Service,
    /// On what.
    pub resource: Resource<'a>,
    /// Letters in the order that the service wants: `racwdl`.
    pub permissions: &'static str,
    /// Until when, to the second.
    pub expires: Timestamp,
    /// Whether it is good by TLS only.
    pub https: bool,
}

/// An account and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedKey {
    account: String,
    key: Vec<u8>,
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedKey({}, …)", self.account)
    }
}

impl SharedKey {
    /// Takes a key in base64, as the vendor shows it; `None` where it is none.
    pub fn new(account: &str, base64: &str) -> Option<SharedKey> {
        let key = STANDARD.decode(base64.trim()).ok()?;
        (!key.is_empty()).then(|| SharedKey {
            account: account.to_owned(),
            key,
        })
    }

    /// The account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The key in base64, which is the password of the account's shares.
    pub fn password(&self) -> String {
        STANDARD.encode(&self.key)
    }

    /// The query of a link that allows this.
    pub fn sign(&self, grant: &Grant<'_>) -> String {
        let expires = time(grant.expires);
        let protocol = protocol(grant.https);
        let (service, letter) = match (grant.service, grant.resource) {
            (Service::Blob, Resource::Share(_)) => ("blob", "c"),
            (Service::Blob, Resource::File(..)) => ("blob", "b"),
            (Service::File, Resource::Share(_)) => ("file", "s"),
            (Service::File, Resource::File(..)) => ("file", "f"),
        };
        let resource = match grant.resource {
            Resource::Share(share) => format!("/{service}/{}/{share}", self.account),
            Resource::File(share, path) => format!("/{service}/{}/{share}/{path}", self.account),
        };
        let (identifier, address, start) = ("", "", "");
        let mut fields = vec![
            grant.permissions,
            start,
            &expires,
            &resource,
            identifier,
            address,
            protocol,
            VERSION,
        ];
        if grant.service == Service::Blob {
            let (snapshot, encryption_scope) = ("", "");
            fields.extend([letter, snapshot, encryption_scope]);
        }
        // What headers the answer is to have: its own.
        fields.extend([""; 5]);
        let signature = STANDARD.encode(hmac(&self.key, &fields.join("\n")));
        let pairs = [
            ("se", expires.as_str()),
            ("sp", grant.permissions),
            ("spr", protocol),
            ("sv", VERSION),
            ("sr", letter),
            ("sig", &signature),
        ];
        query(pairs.into_iter().filter(|(_, value)| !value.is_empty()))
    }

    /// The query of a request that makes a container or share: no smaller signature allows it.
    pub fn sign_making(&self, service: Service, expires: Timestamp, https: bool) -> String {
        let (expires, protocol) = (time(expires), protocol(https));
        let service = match service {
            Service::Blob => "b",
            Service::File => "f",
        };
        let (create, containers) = ("c", "c");
        let (start, address, encryption_scope, end) = ("", "", "", "");
        let fields = [
            &self.account,
            create,
            service,
            containers,
            start,
            &expires,
            address,
            protocol,
            VERSION,
            encryption_scope,
            end,
        ];
        let signature = STANDARD.encode(hmac(&self.key, &fields.join("\n")));
        let pairs = [
            ("se", expires.as_str()),
            ("sp", create),
            ("spr", protocol),
            ("sv", VERSION),
            ("ss", service),
            ("srt", containers),
            ("sig", &signature),
        ];
        query(pairs.into_iter().filter(|(_, value)| !value.is_empty()))
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

const fn protocol(https: bool) -> &'static str {
    if https { "https" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes 0 to 63.
    const KEY: &str =
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

    fn key() -> SharedKey {
        SharedKey::new("acc", KEY).unwrap()
    }

    fn expires() -> Timestamp {
        "2030-01-02T03:04:05.678Z".parse().unwrap()
    }

    /// What the vendor's own packages for Python (azure-storage-blob 12.31.1, azure-storage-file-share 12.27.1, told
    /// to use this version) make of the same.
    #[test]
    fn signatures_are_the_vendors() {
        for (service, resource, permissions, want) in [
            (
                Service::Blob,
                Resource::Share("data"),
                "rcwdl",
                "sr=c&sig=c2QuEKnGJAQs1AcbwvNdG6w5t2GfBI%2B7DR%2BuE6U%2FuMc%3D",
            ),
            (
                Service::Blob,
                Resource::File("data", "a b/ü.txt"),
                "r",
                "sr=b&sig=WxkUhZrM6kGjx6RwpZGAgcODwUL2qhEUuTUyqxH%2BXe4%3D",
            ),
            (
                Service::File,
                Resource::Share("logs"),
                "rcwdl",
                "sr=s&sig=jneQfU3yIlWXGOdbAuWQ%2FszfJfT%2BBvOysgyT3d%2BMVfA%3D",
            ),
            (
                Service::File,
                Resource::File("logs", "a b/ü.txt"),
                "r",
                "sr=f&sig=%2BOFbG661%2BcmcQojQQ4Wwr9vFcSsiRG%2BOFQ2XR0CMdXE%3D",
            ),
        ] {
            let link = key().sign(&Grant {
                service,
                resource,
                permissions,
                expires: expires(),
                https: true,
            });
            let front = format!("se=2030-01-02T03%3A04%3A05Z&sp={permissions}&spr=https&sv=2020-12-06&");
            assert_eq!(link, format!("{front}{want}"), "{resource:?}");
        }
    }

    #[test]
    fn signatures_that_make_a_share_are_the_vendors() {
        for (service, want) in [
            (
                Service::Blob,
                "ss=b&srt=c&sig=E42HLHj7cwSm6MGy9idvqJGvnWPC4tNsGcdCmdJmKgc%3D",
            ),
            (
                Service::File,
                "ss=f&srt=c&sig=CBEOYK6p9cGSHe5l%2BLoUWFx2flMwBTeUthT5u0DJ3X4%3D",
            ),
        ] {
            let front = "se=2030-01-02T03%3A04%3A05Z&sp=c&spr=https&sv=2020-12-06&";
            assert_eq!(
                key().sign_making(service, expires(), true),
                format!("{front}{want}")
            );
        }
    }

    #[test]
    fn nothing_shows_the_key_and_no_key_is_refused() {
        assert_eq!(format!("{:?}", key()), "SharedKey(acc, …)");
        assert_eq!(key().password(), KEY);
        assert_eq!(SharedKey::new("acc", &format!(" {KEY}\n")), Some(key()));
        for bad in ["", "not base64!", "AAE"] {
            assert_eq!(SharedKey::new("acc", bad), None, "{bad:?}");
        }
    }
}
