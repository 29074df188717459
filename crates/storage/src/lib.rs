//! Storage accounts as directories, output files and signed links.
//!
//! A storage account is a name that stands for a directory of this machine ([`Accounts`]). Beneath it lie
//! its file shares (`files/{share}`) and its blob containers (`blobs/{container}`). A [`Place`] says where in
//! a share something lies; output directories are recorded that way when a job is placed, so that they can
//! be listed when cluster and mounts are gone.
//!
//! ```text
//! Place ──list──▶ Listing ──sign──▶ link ──verify──▶ Place ──open──▶ OpenFile ──ranges──▶ bytes
//! ```
//!
//! The folders behind file servers are [`FileServers`].
//!
//! Nothing is ever opened outside of its share: jobs write these directories, so every name and every
//! symbolic link in them is taken as hostile. All calls block on the file system; none reads a clock.

mod accounts;
mod beneath;
mod error;
mod file_servers;
mod links;
mod listing;
mod names;
mod path;
mod place;
pub mod ranges;
mod reading;
mod space;
mod url;

pub use accounts::Accounts;
pub use error::StorageError;
pub use file_servers::{FileServers, FolderError, FolderName};
pub use links::{LINK_PREFIX, LinkError, LinkKey};
pub use listing::{Entry, EntryKind, Listing, MAX_PAGE, Page};
pub use names::{AccountName, BadName, ShareName};
pub use path::{BadPath, RelativePath};
pub use place::{Kind, Place};
pub use reading::OpenFile;
pub use space::free_bytes;
pub use url::{BadUrl, parse_file_share_url};
