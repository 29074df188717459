use std::sync::mpsc;

use trainyard_store::db::{Db, Error, InlineHandle, WriteError};

use crate::support::{Folder, MIGRATIONS, Refusal, insert, numbers, open};

/// What the same calls give and leave, in whichever mode.
fn play(db: &Db) -> (Vec<String>, Vec<i64>, u64, u64) {
    let (hook, hooked) = mpsc::channel();
    let other = hook.clone();
    let answers = [
        db.write_blocking(move |write| {
            write.on_commit(Box::new(move || hook.send("kept").expect("test waits")));
            insert(write, 1)
        }),
        db.write_blocking(move |write| {
            write.on_commit(Box::new(move || other.send("refused").expect("test waits")));
            insert(write, 2)?;
            Err(Refusal::ByTheWork)
        }),
        db.write_blocking(|write| {
            insert(write, 3)?;
            insert(write, 1)
        }),
        db.write_blocking(|write| {
            write.execute("INSERT INTO doubles VALUES (77)", [])?;
            Ok(77)
        }),
        db.write_blocking(|write| {
            insert(write, 4)?;
            Ok(write.execute_batch("COMMIT").map(|()| 4)?)
        }),
        db.write_blocking(|write| insert(write, 5)),
    ];
    let mut told: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
    told.extend(hooked.try_iter().map(str::to_owned));
    let written = db.read(|conn| Ok::<_, Error>(conn.execute("DELETE FROM numbers", [])?));
    told.push(format!("{written:?}"));
    let stats = db.stats();
    (told, numbers(db), stats.works, stats.refused)
}

#[test]
fn both_modes_behave_alike() {
    let folder = Folder::new();
    let threaded = play(&open(&folder.database()));
    let memory = InlineHandle::memory().expect("memory");
    assert_eq!(play(&Db::inline(memory, MIGRATIONS).expect("opens")), threaded);
    let file = InlineHandle::file(&folder.path().join("inline.db")).expect("file");
    assert_eq!(play(&Db::inline(file, MIGRATIONS).expect("opens")), threaded);
    assert_eq!(threaded.1, [1, 5]);
}

#[test]
fn the_handle_outlives_a_crash() {
    let handle = InlineHandle::memory().expect("memory");
    let db = Db::inline(handle.clone(), MIGRATIONS).expect("opens");
    db.write_blocking(|write| insert(write, 1)).expect("written");
    drop(db);
    let db = Db::inline(handle, MIGRATIONS).expect("opens again");
    assert_eq!(numbers(&db), [1]);
}

#[test]
fn writes_run_at_once() {
    let db = Db::inline(InlineHandle::memory().expect("memory"), MIGRATIONS).expect("opens");
    let answer = db.write(|write| insert(write, 1));
    assert!(answer.is_ready());
    assert_eq!(numbers(&db), [1]);
}

#[test]
fn a_hook_may_write() {
    let db = Db::inline(InlineHandle::memory().expect("memory"), MIGRATIONS).expect("opens");
    let again = db.clone();
    db.write_blocking(move |write| {
        write.on_commit(Box::new(move || drop(again.write(|write| insert(write, 2)))));
        insert(write, 1)
    })
    .expect("written");
    assert_eq!(numbers(&db), [1, 2]);
}

#[test]
fn a_panic_goes_up_and_leaves_nothing() {
    let db = Db::inline(InlineHandle::memory().expect("memory"), MIGRATIONS).expect("opens");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        db.write_blocking::<(), Refusal>(|write| {
            insert(write, 1)?;
            panic!("on purpose")
        })
    }));
    assert!(panic.is_err());
    assert_eq!(numbers(&db), [0i64; 0]);
    db.write_blocking(|write| insert(write, 2)).expect("goes on");
    assert_eq!(numbers(&db), [2]);
}

#[test]
fn a_full_disk_fails_the_commit_and_is_told() {
    let handle = InlineHandle::memory().expect("memory");
    let db = Db::inline(handle.clone(), MIGRATIONS).expect("opens");
    handle.with_connection(|conn| {
        let pages: i64 = conn
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .expect("pages");
        conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            .expect("bounded");
    });
    let refused = db
        .write_blocking(|write| Ok::<_, Refusal>(crate::support::insert_filled(write, 1, 100_000)?))
        .map_err(WriteError::flatten);
    assert!(matches!(refused, Err(Refusal::Db(Error::Full(_)))), "{refused:?}");
}
