//! Storage accounts, output files and signed links.
//!
//! A storage account is a name that stands for a directory of this machine, as a rule ([`Accounts`]). Beneath it lie
//! its file shares (`files/{share}`) and its blob containers (`blobs/{container}`). A [`Place`] says where in
//! a share something lies; output directories are recorded that way when a job is placed, so that they can
//! be listed when cluster and mounts are gone.
//!
//! ```text
//! Place ──list──▶ Listing ──sign──▶ link ──verify──▶ Place ──open──▶ OpenFile ──ranges──▶ bytes
//! ```
//!
//! An account may as well be one of Azure, or in a store that speaks S3 ([`Remote`]): then listings come from there,
//! and so do the bytes, by links of that store.
//!
//! The folders behind file servers are [`FileServers`].
//!
//! Nothing is ever opened outside of its share: jobs write these directories, so every name and every
//! symbolic link in them is taken as hostile. All calls block on the file system, or on a store's answer; none reads a clock.

mod accounts;
mod beneath;
mod error;
mod file_servers;
mod links;
mod listing;
mod names;
mod owner;
mod path;
mod place;
pub mod ranges;
mod reading;
mod remote;
mod space;
mod url;

pub use accounts::{Account, Accounts, At, Unkeyed};
pub use error::StorageError;
pub use file_servers::{FileServers, FolderError, FolderName};
pub use links::{LINK_PREFIX, LinkError, LinkKey};
pub use listing::{Entry, EntryKind, Listing, MAX_PAGE, Page};
pub use names::{AccountName, BadName, ShareName};
pub use owner::Owner;
pub use path::{BadPath, RelativePath};
pub use place::{Kind, Place};
pub use reading::OpenFile;
pub use remote::{Azure, BadEndpoint, Credentials, Endpoint, FilesBy, Remote, S3, SharedKey, Store};
pub use space::free_bytes;
pub use url::{BadUrl, parse_file_share_url};
