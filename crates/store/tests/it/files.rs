use std::fs::{self, Permissions};
use std::io::{Seek, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use trainyard_store::db::{self, BackupError, CheckError};

use crate::support::{Folder, insert, insert_filled, numbers, open};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn all_files_are_private() {
    let folder = Folder::new();
    let path = folder.database();
    drop(open(&path));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("loosened");
    let db = open(&path);
    db.write_blocking(|write| insert(write, 1)).expect("written");
    assert_eq!(numbers(&db), [1]);
    let mut seen = Vec::new();
    for entry in fs::read_dir(folder.path()).expect("folder") {
        let entry = entry.expect("entry");
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        seen.push(entry.file_name().into_string().expect("a name"));
    }
    seen.sort();
    assert_eq!(seen, ["store.db", "store.db-shm", "store.db-wal"]);
}

#[test]
fn a_backup_is_private_whole_and_never_overwrites() {
    let folder = Folder::new();
    let db = open(&folder.database());
    db.write_blocking(|write| insert(write, 1)).expect("written");
    let copy = folder.path().join("copy.db");
    db::backup(&folder.database(), &copy).expect("copied");
    assert_eq!(mode(&copy), 0o600);
    assert_eq!(db::check(&copy).expect("sound").version, 1);
    assert!(!folder.path().join("copy.db-wal").exists(), "a copy is one file");
    let again = db::backup(&folder.database(), &copy).expect_err("exists");
    assert!(matches!(again, BackupError::Exists { .. }));
    drop(db);
    assert_eq!(numbers(&open(&copy)), [1]);
}

#[test]
fn a_backup_of_a_closed_database_works_and_of_none_fails() {
    let folder = Folder::new();
    let db = open(&folder.database());
    db.write_blocking(|write| insert(write, 1)).expect("written");
    drop(db);
    let copy = folder.path().join("copy.db");
    db::backup(&folder.database(), &copy).expect("copied");
    assert_eq!(numbers(&open(&copy)), [1]);
    let nothing = folder.path().join("nothing.db");
    let refused = db::backup(&folder.path().join("missing.db"), &nothing).expect_err("no such file");
    assert!(matches!(refused, BackupError::Source { .. }), "{refused:?}");
    assert!(!nothing.exists() && !folder.path().join("missing.db").exists());
}

#[test]
fn damage_is_found() {
    let folder = Folder::new();
    let path = folder.database();
    let db = open(&path);
    db.write_blocking(|write| {
        (0..200).try_for_each(|number| insert_filled(write, number, 500))?;
        Ok::<_, rusqlite::Error>(())
    })
    .expect("written");
    drop(db);
    db::check(&path).expect("sound");
    let mut file = fs::OpenOptions::new().write(true).open(&path).expect("opens");
    let middle = file.metadata().expect("size").len() / 2 / 4096 * 4096;
    file.seek(SeekFrom::Start(middle)).expect("inside");
    file.write_all(&[0x5a; 4096]).expect("damaged");
    let found = db::check(&path).expect_err("damaged");
    assert!(
        matches!(found, CheckError::Damaged { .. } | CheckError::Unreadable { .. }),
        "{found:?}"
    );
    fs::write(
        &path,
        "this is no database at all, though long enough to be looked at closely, ".repeat(20),
    )
    .expect("overwritten");
    assert!(matches!(db::check(&path), Err(CheckError::Unreadable { .. })));
}
