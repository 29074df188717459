//! Storage on a real file system.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod file_servers;
mod links;
mod listing;
mod owned;
mod races;
mod reading;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use trainyard_storage::{AccountName, Accounts, Kind, Listing, Page, Place, RelativePath, ShareName};

/// A data folder with one share, an output directory in it, and a directory beside the data that nothing may reach.
pub struct Ground {
    pub folder: tempfile::TempDir,
    pub accounts: Accounts,
    pub place: Place,
    pub share: PathBuf,
    pub output: PathBuf,
    pub outside: PathBuf,
}

impl Ground {
    pub fn prepare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::new(&folder.path().join("data"), BTreeMap::new());
        let place = place("job/outputs");
        let share = accounts.ensure(&place.account, place.kind, &place.share).unwrap();
        let output = share.join("job/outputs");
        fs::create_dir_all(&output).unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        Self {
            folder,
            accounts,
            place,
            share,
            output,
            outside,
        }
    }

    pub fn list(&self, directory: &str) -> Listing {
        self.accounts
            .list(&self.place, directory, &Page::new(None, 1000))
            .unwrap()
    }

    pub fn names(&self, directory: &str) -> Vec<String> {
        self.list(directory)
            .entries
            .into_iter()
            .map(|entry| entry.name)
            .collect()
    }
}

pub fn place(path: &str) -> Place {
    Place {
        account: AccountName::new("acc").unwrap(),
        kind: Kind::FileShare,
        share: ShareName::new("share").unwrap(),
        path: RelativePath::parse(path).unwrap(),
    }
}
