use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use proptest::prelude::*;
use rustix::fs::{CWD, Mode, mkfifoat};
use trainyard_storage::{Account, Accounts, EntryKind, Kind, MAX_PAGE, Page, StorageError};

use crate::{Ground, place};

#[test]
fn accounts_lie_where_they_are_configured_or_in_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    let place = place("");
    let configured = BTreeMap::from([(place.account.clone(), Account::Directory(other.clone()))]);
    let accounts = Accounts::new(&folder.path().join("data"), configured);
    let real = fs::canonicalize(folder.path()).unwrap();
    let made = accounts
        .ensure(&place.account, Kind::BlobContainer, &place.share)
        .unwrap();
    assert_eq!(made, real.join("other/blobs/share"));
    assert_eq!(
        made,
        accounts
            .ensure(&place.account, Kind::BlobContainer, &place.share)
            .unwrap()
    );
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o022, 0);

    let accounts = Accounts::new(&folder.path().join("data"), BTreeMap::new());
    let made = accounts
        .ensure(&place.account, Kind::FileShare, &place.share)
        .unwrap();
    assert_eq!(made, real.join("data/storage/acc/files/share"));
}

#[test]
fn a_share_replaced_by_a_link_out_is_refused() {
    let ground = Ground::prepare();
    fs::rename(&ground.share, ground.folder.path().join("away")).unwrap();
    symlink(&ground.outside, &ground.share).unwrap();
    let made = ground
        .accounts
        .ensure(&ground.place.account, ground.place.kind, &ground.place.share);
    assert!(matches!(made, Err(StorageError::Outside(_))), "{made:?}");
    let listed = ground.accounts.list(&place(""), ".", &Page::new(None, 10));
    assert!(matches!(listed, Err(StorageError::Outside(_))), "{listed:?}");

    fs::remove_file(&ground.share).unwrap();
    fs::write(&ground.share, "").unwrap();
    let made = ground
        .accounts
        .ensure(&ground.place.account, ground.place.kind, &ground.place.share);
    assert!(matches!(made, Err(StorageError::NotADirectory(_))), "{made:?}");
}

#[test]
fn files_and_directories_are_mixed_and_sorted_bytewise() {
    let ground = Ground::prepare();
    for name in ["b", "a.txt", "Z", "é", "a b%20+?#&", "日本"] {
        fs::write(ground.output.join(name), name).unwrap();
    }
    fs::create_dir(ground.output.join("aa")).unwrap();
    assert_eq!(
        ground.names("."),
        ["Z", "a b%20+?#&", "a.txt", "aa", "b", "é", "日本"]
    );
    let written = SystemTime::UNIX_EPOCH + Duration::new(1_528_312_775, 5);
    fs::File::options()
        .write(true)
        .open(ground.output.join("b"))
        .unwrap()
        .set_modified(written)
        .unwrap();
    let entries = ground.list("").entries;
    assert_eq!(entries[3].kind, EntryKind::Directory);
    let modified = Timestamp::new(1_528_312_775, 5).unwrap();
    assert_eq!(entries[4].kind, EntryKind::File { len: 1, modified });
}

#[test]
fn nested_directories_and_ones_that_do_not_exist_yet() {
    let ground = Ground::prepare();
    let deep = "d/".repeat(200);
    fs::create_dir_all(ground.output.join(&deep)).unwrap();
    fs::write(ground.output.join(&deep).join("f"), "").unwrap();
    assert_eq!(ground.names(&deep), ["f"]);
    assert_eq!(ground.names("./d/"), ["d"]);
    assert_eq!(ground.list("d/./d").directory, place("job/outputs/d/d"));
    assert!(ground.names("d/none/x").is_empty());
    let nowhere = Accounts::new(&ground.folder.path().join("nowhere"), BTreeMap::new());
    assert!(
        nowhere
            .list(&ground.place, ".", &Page::new(None, 10))
            .unwrap()
            .entries
            .is_empty()
    );
    assert!(!ground.folder.path().join("nowhere").exists());
}

#[test]
fn ways_out_are_refused() {
    let ground = Ground::prepare();
    symlink(&ground.outside, ground.output.join("out")).unwrap();
    symlink("../../../../../../../outside", ground.output.join("up")).unwrap();
    let list = |directory: &str| {
        ground
            .accounts
            .list(&ground.place, directory, &Page::new(None, 10))
    };
    for bad in ["..", "../outputs", "a/..", "/", "/etc", "a\0"] {
        assert!(matches!(list(bad), Err(StorageError::BadPath(_))), "{bad:?}");
    }
    for link in ["out", "up", "up/."] {
        assert!(matches!(list(link), Err(StorageError::Outside(_))), "{link:?}");
    }
    fs::write(ground.output.join("file"), "").unwrap();
    assert!(matches!(list("file"), Err(StorageError::NotADirectory(_))));
    let text = list("out").unwrap_err().to_string();
    assert!(!text.contains(ground.folder.path().to_str().unwrap()), "{text}");
}

#[test]
fn only_what_can_be_served_is_shown() {
    let ground = Ground::prepare();
    let output = &ground.output;
    fs::write(output.join("file"), "12345").unwrap();
    fs::create_dir(output.join("directory")).unwrap();
    fs::write(ground.share.join("elsewhere"), "123").unwrap();
    symlink("file", output.join("link to file")).unwrap();
    symlink("directory", output.join("link to directory")).unwrap();
    symlink("../../elsewhere", output.join("link within the share")).unwrap();
    symlink("none", output.join("dangling")).unwrap();
    symlink("circle", output.join("circle")).unwrap();
    symlink(&ground.outside, output.join("directory out")).unwrap();
    symlink(ground.outside.join("secret"), output.join("file out")).unwrap();
    mkfifoat(CWD, output.join("fifo"), Mode::from_raw_mode(0o644)).unwrap();
    symlink("fifo", output.join("link to fifo")).unwrap();
    let _socket = UnixListener::bind(output.join("socket")).unwrap();
    fs::write(output.join(OsStr::from_bytes(b"not \xff utf-8")), "").unwrap();

    let listing = ground.list(".");
    let shown: Vec<_> = listing
        .entries
        .iter()
        .map(|entry| match entry.kind {
            EntryKind::File { len, .. } => (entry.name.as_str(), Some(len)),
            EntryKind::Directory => (entry.name.as_str(), None),
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("directory", None),
            ("file", Some(5)),
            ("link to directory", None),
            ("link to file", Some(5)),
            ("link within the share", Some(3)),
        ]
    );
    assert_eq!(listing.next, None);
}

#[test]
fn the_limit_is_bounded_on_both_sides() {
    let ground = Ground::prepare();
    for number in 0..=MAX_PAGE {
        fs::write(ground.output.join(format!("{number:05}")), "").unwrap();
    }
    for (asked, given) in [(0, 1), (1, 1), (usize::MAX, MAX_PAGE)] {
        let page = ground
            .accounts
            .list(&ground.place, ".", &Page::new(None, asked))
            .unwrap();
        assert_eq!(page.entries.len(), given);
        assert_eq!(page.next, Some(format!("{:05}", given - 1)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn pages_are_complete_and_without_repeats(
        names in prop::collection::btree_set("[a-cé %]{1,3}|[^/\\x00.]{1,4}", 0..30),
        outward in prop::collection::btree_set("[a-c]{4}", 0..8),
        limit in 1_usize..12,
    ) {
        let ground = Ground::prepare();
        for name in &names {
            fs::write(ground.output.join(name), "").unwrap();
        }
        // Left out after the page was cut, so that some pages come short.
        for name in &outward {
            symlink("/nowhere", ground.output.join(format!("{name}-x"))).unwrap();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        // More pages than entries would be a listing that does not move on.
        for _ in 0..=names.len() + outward.len() {
            let page = ground.accounts.list(&ground.place, ".", &Page::new(after, limit)).unwrap();
            prop_assert!(page.entries.len() <= limit);
            seen.extend(page.entries.into_iter().map(|entry| entry.name));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        prop_assert_eq!(seen, names.into_iter().collect::<Vec<_>>());
    }
}
