use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use trainyard_store::db::{Db, Error, Settings, WriteError};

use crate::support::{
    Folder, Gate, MIGRATIONS, PATIENCE, Refusal, insert, insert_filled, numbers, open, settings,
};

fn fill(db: &Db, number: i64, bytes: usize) -> Result<(), Refusal> {
    db.write_blocking(move |write| Ok(insert_filled(write, number, bytes)?))
        .map_err(WriteError::flatten)
}

/// Bounds the pages of the database from inside a work: the pragma is the connection's.
fn bound_pages(db: &Db, more: i64) {
    db.write_blocking(move |write| {
        let pages: i64 = write.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let bound = pages + more;
        write.query_row(&format!("PRAGMA max_page_count = {bound}"), [], |_| Ok(()))
    })
    .expect("bounded");
}

#[test]
fn no_more_pages_is_full_and_spoils_nothing() {
    let folder = Folder::new();
    let db = open(&folder.database());
    fill(&db, 1, 10).expect("room");
    bound_pages(&db, 2);
    assert!(matches!(fill(&db, 2, 100_000), Err(Refusal::Db(Error::Full(_)))));
    assert_eq!(numbers(&db), [1]);
    bound_pages(&db, 1000);
    fill(&db, 3, 100_000).expect("room again");
    drop(db);
    assert_eq!(numbers(&open(&folder.database())), [1, 3]);
}

#[test]
fn a_batch_that_loses_its_transaction_is_unavailable_as_a_whole() {
    let folder = Folder::new();
    let patient = Settings {
        max_batch_time: PATIENCE,
        ..settings()
    };
    let db = Db::open(&folder.database(), &patient, MIGRATIONS).expect("opens");
    bound_pages(&db, 2);
    let gate = Gate::shut(&db, 0);
    let mate = db.write(|write| insert(write, 1));
    let (tell, told) = std::sync::mpsc::channel();
    let large = db.write(move |write| {
        let failed = insert_filled(write, 2, 100_000);
        // A careless work goes on; what it writes now must not be stored on its own.
        let careless = insert(write, 3);
        tell.send(careless.is_err()).expect("the test waits");
        Ok::<_, Refusal>(failed?)
    });
    let next = db.write(|write| insert(write, 4));
    let opened = std::thread::spawn(move || gate.open());
    assert!(matches!(
        mate.wait(),
        Err(WriteError::Unavailable(Error::TransactionLost))
    ));
    assert!(matches!(
        large.wait(),
        Err(WriteError::Refused(Refusal::Db(Error::Full(_))))
    ));
    assert_eq!(told.recv(), Ok(true), "the second statement was refused too");
    next.wait().expect("in a batch of its own");
    assert!(opened.join().is_err(), "the gate was in the lost batch");
    assert_eq!(numbers(&db), [4]);
    assert_eq!(db.stats().failed_batches, 1);
}

/// A file system of a few MiB that goes with the test.
struct SmallDisk(Folder);

impl SmallDisk {
    fn mount() -> Result<Self, rustix::io::Errno> {
        let folder = Folder::new();
        mount(
            "trainyard-test",
            folder.path(),
            "tmpfs",
            MountFlags::empty(),
            Some(c"size=2m,mode=0700"),
        )?;
        Ok(Self(folder))
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let written = std::io::copy(
            &mut std::io::repeat(7),
            &mut fs::File::create(self.ballast()).expect("a file of no bytes"),
        );
        assert_eq!(
            written.expect_err("gets full").kind(),
            std::io::ErrorKind::StorageFull
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.0.path(), UnmountFlags::DETACH) {
            eprintln!("the test disk stays mounted: {error}");
        }
    }
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(error) => return println!("left out: no tmpfs can be mounted here (a full disk): {error}"),
    };
    let path: &Path = &disk.0.path().join("store.db");
    let db = open(path);
    let mut acknowledged = Vec::new();
    for number in 0..20 {
        fill(&db, number, 1000).expect("room");
        acknowledged.push(number);
    }
    disk.fill();
    let mut refusals = 0;
    for number in 100..200 {
        match fill(&db, number, 20_000) {
            Ok(()) => acknowledged.push(number),
            Err(Refusal::Db(Error::Full(_))) => refusals += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(refusals > 90, "{refusals} of 100 refused");
    assert_eq!(
        numbers(&db),
        acknowledged,
        "reads go on, and see what was acknowledged"
    );
    assert!(db.stats().failed_batches > 0);

    fs::remove_file(disk.ballast()).expect("room again");
    for number in 200..210 {
        fill(&db, number, 20_000).expect("room again");
        acknowledged.push(number);
    }
    assert_eq!(numbers(&db), acknowledged);
    disk.fill();
    // The checkpoint at the close has no room either: the log must stay.
    drop(db);
    fs::remove_file(disk.ballast()).expect("room again");
    let db = open(path);
    assert_eq!(numbers(&db), acknowledged);
    drop(db);
    trainyard_store::db::check(path).expect("sound");
}
