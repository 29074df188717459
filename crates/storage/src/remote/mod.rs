//! Storage accounts whose files are not on this machine: accounts of Azure, and stores that speak S3.
//!
//! Everything is done by links that are minted here. A link says what it allows and until when, and holds no key: the
//! server's own calls go by short ones, downloads by those that listings hand out, and mounts of nodes by such that
//! outlive the job. Calls block for [`http::ANSWERED_WITHIN`] at most.

mod azure;
mod endpoint;
mod http;
mod mac;
mod page;
mod s3;

use jiff::{SignedDuration, Timestamp};
use trainyard_domain::launch::Behind;

pub use azure::{Azure, FilesBy, SharedKey};
pub use endpoint::{BadEndpoint, Endpoint};
pub use s3::{Credentials, S3};

use self::http::{Answer, Caller, Method, NoAnswer};
use crate::{AccountName, Kind, Listing, Page, Place, RelativePath, ShareName, StorageError};
use page::RemotePage;

/// How long the links of the server's own calls are good: the clocks of two machines may differ.
const OWN_CALLS: SignedDuration = SignedDuration::from_mins(15);

/// A store that is not on this machine.
#[derive(Debug, Clone)]
pub enum Store {
    /// An account of Azure.
    Azure(Azure),
    /// A store that speaks S3.
    S3(S3),
}

/// A storage account in such a store.
#[derive(Debug)]
pub struct Remote {
    account: AccountName,
    store: Store,
    caller: Caller,
}

/// What a store was asked and did not do.
enum Failed {
    NoAnswer(NoAnswer),
    /// Status, and the code of the error where it told one.
    Refused(u16, Option<String>),
    /// An answer that is not understood.
    Strange,
}

impl Remote {
    /// The account of this name in a store.
    #[must_use]
    pub fn new(account: AccountName, store: Store) -> Remote {
        Remote {
            account,
            store,
            caller: Caller::new(),
        }
    }

    /// Lists one level of a directory as [`crate::Accounts::list`] does. The marks of its pages are the store's own.
    /// The store sorts `a/` behind `a-b`, so a directory may be found a page later than by its name.
    ///
    /// # Errors
    /// [`StorageError::BadPath`]; [`StorageError::Unreachable`], [`StorageError::Refused`].
    pub fn list(
        &self,
        place: &Place,
        directory: &str,
        page: &Page,
        now: Timestamp,
    ) -> Result<Listing, StorageError> {
        let directory = place.join(directory)?;
        let url = match &self.store {
            Store::Azure(azure) => azure.listing(&directory, page, now + OWN_CALLS),
            Store::S3(s3) => s3.listing(&directory, page, now),
        };
        let found = match self.ask(Method::Get, &url) {
            Ok(answer) => self.read(&directory, &answer.body).ok_or(Failed::Strange),
            // What does not exist (yet) is empty.
            Err(Failed::Refused(404, _)) => Ok(RemotePage {
                entries: Vec::new(),
                next: None,
            }),
            Err(failed) => Err(failed),
        };
        let RemotePage { entries, next } = found.map_err(|failed| self.error(&directory, failed))?;
        Ok(Listing {
            directory,
            entries,
            next,
        })
    }

    fn read(&self, directory: &Place, body: &str) -> Option<RemotePage> {
        match &self.store {
            Store::Azure(azure) => azure.read_listing(directory, body),
            Store::S3(s3) => s3.read_listing(directory, body),
        }
    }

    /// A link to a file, good before `expires`, that the store itself serves, with byte ranges. Nothing is asked.
    #[must_use]
    pub fn link(&self, file: &Place, now: Timestamp, expires: Timestamp) -> String {
        match &self.store {
            Store::Azure(azure) => azure.link(file, expires),
            Store::S3(s3) => s3.link(file, now, expires),
        }
    }

    /// Sees to it that a share or container is there: in an account of Azure it is made where it is missing. A bucket
    /// is not made, since its name is one among everybody's.
    ///
    /// # Errors
    /// [`StorageError::Unreachable`], [`StorageError::Refused`].
    pub fn ensure(&self, kind: Kind, share: &ShareName, now: Timestamp) -> Result<(), StorageError> {
        let (method, url) = match &self.store {
            Store::Azure(azure) => (Method::Put, azure.making(kind, share, now + OWN_CALLS)),
            Store::S3(s3) => (Method::Head, s3.looking(share, now)),
        };
        match self.ask(method, &url) {
            Ok(_) => Ok(()),
            Err(Failed::Refused(409, Some(code))) if code.ends_with("AlreadyExists") => Ok(()),
            Err(failed) => {
                let place = Place {
                    account: self.account.clone(),
                    kind,
                    share: share.clone(),
                    path: RelativePath::root(),
                };
                Err(self.error(&place, failed))
            }
        }
    }

    /// What a node mounts; what it may do there ends at `until`, where the store can say so.
    #[must_use]
    pub fn behind(&self, kind: Kind, share: &ShareName, until: Timestamp) -> Behind {
        match &self.store {
            Store::Azure(azure) => azure.behind(kind, share, until),
            Store::S3(s3) => s3.behind(kind, share),
        }
    }

    fn ask(&self, method: Method, url: &str) -> Result<Answer, Failed> {
        let answer = self.caller.call(method, url).map_err(Failed::NoAnswer)?;
        match answer.status {
            200..=299 => Ok(answer),
            status => Err(Failed::Refused(status, page::error_code(&answer.body))),
        }
    }

    fn error(&self, place: &Place, failed: Failed) -> StorageError {
        let store = match &self.store {
            Store::Azure(azure) => azure.endpoint(place.kind),
            Store::S3(s3) => s3.endpoint(),
        };
        let (place, store) = (place.clone(), store.to_string().into());
        let said = match failed {
            Failed::NoAnswer(why) => {
                let why = why.to_string().into();
                return StorageError::Unreachable { place, store, why };
            }
            Failed::Refused(status, Some(code)) => format!("{status}, {code}"),
            Failed::Refused(status, None) => status.to_string(),
            Failed::Strange => "something that is no listing".to_owned(),
        };
        let said = said.into();
        StorageError::Refused { place, store, said }
    }
}
