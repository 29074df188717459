//! New shares and folders belong to whoever jobs run as.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use trainyard_storage::{Accounts, FileServers, FolderName, Owner, RelativePath};

use crate::place;

const OWNER: Owner = Owner {
    uid: 65_534,
    gid: 65_533,
};

fn owner(path: &Path) -> (u32, u32) {
    let found = fs::metadata(path).unwrap();
    (found.uid(), found.gid())
}

/// Only root gives directories away.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("left out: directories of another account (it takes root)");
    }
    is_root
}

#[test]
fn a_new_share_is_the_accounts_and_one_that_is_there_stays_whose_it_is() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let accounts = Accounts::new(folder.path(), BTreeMap::new()).owned_by(Some(OWNER));
    let mut place = place("");
    let share = accounts.ensure(&place.account, place.kind, &place.share).unwrap();
    assert_eq!(owner(&share), (OWNER.uid, OWNER.gid));
    for above in [share.parent().unwrap(), &folder.path().join("storage")] {
        assert_eq!(owner(above), (0, 0), "{}", above.display());
    }
    place.share = trainyard_storage::ShareName::new("older").unwrap();
    let older = share.parent().unwrap().join("older");
    fs::create_dir(&older).unwrap();
    accounts.ensure(&place.account, place.kind, &place.share).unwrap();
    assert_eq!(owner(&older), (0, 0));
}

#[test]
fn a_new_folder_of_a_file_server_is_the_accounts_with_the_directories_made_in_it() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let servers = FileServers::new(folder.path().join("servers")).owned_by(Some(OWNER));
    let name = FolderName::new("one").unwrap();
    servers.make(&name).unwrap();
    let source = RelativePath::parse("data/of/jobs").unwrap();
    let made = servers.directory(&name, &source).unwrap();
    let up = |levels| made.ancestors().nth(levels).unwrap();
    for (levels, of) in [
        (0, OWNER.uid),
        (1, OWNER.uid),
        (2, OWNER.uid),
        (3, OWNER.uid),
        (4, 0),
    ] {
        assert_eq!(owner(up(levels)).0, of, "{}", up(levels).display());
    }
}
